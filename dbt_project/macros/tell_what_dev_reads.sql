{#- Says which file target dev reads and which it writes, because both are found by themselves. -#}
{% macro tell_what_dev_reads() %}
    {% if execute and target.name == "dev" and flags.WHICH in ["build", "run", "test"] %}
        {% set files = {} %}
        {% for row in run_query(
            "select database_name, path from duckdb_databases() where not internal"
        ) %}
            {% do files.update({row[0]: row[1]}) %}
        {% endfor %}
        {% do log("Reads " ~ files["snapshot"] ~ ", writes " ~ files[target.database], info=true) %}
    {% endif %}
{% endmacro %}
