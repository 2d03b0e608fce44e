{#- Fails a model that takes the place of ours where it lacks a column that ours promises, or has it
    with another type: what reads the column would fail instead, and nobody would see why. `columns` are
    types by name, none where ours promises the name only. Runs after the model was made. -#}
{% macro keeps_columns(columns) %}
    {% if execute %}
        {% set found = {} %}
        {% for row in run_query("select column_name, column_type from (describe " ~ this ~ ")") %}
            {% do found.update({row[0]: row[1]}) %}
        {% endfor %}
        {% set problems = [] %}
        {% for name, promised in columns.items() %}
            {% if name not in found %} {% do problems.append(name ~ " is missing") %}
            {% elif promised %}
                {% set types = run_query("select typeof(cast(null as " ~ promised ~ "))") %}
                {% if found[name] != types[0][0] %}
                    {% do problems.append(name ~ " is " ~ found[name] ~ ", not " ~ types[0][0]) %}
                {% endif %}
            {% endif %}
        {% endfor %}
        {% if problems %}
            {% set all = problems | join(", ") %}
            {% do exceptions.raise_compiler_error(
                "It takes the place of a model of lead-pipeline and breaks its promise: "
                ~ all
                ~ ". Select them, or give the model another name."
            ) %}
        {% endif %}
    {% endif %}
{% endmacro %}
