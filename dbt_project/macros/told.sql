{#- A figure that lies within bounds; null where they are wider than the figure itself, or one of them is
    not known: then it cannot be told from others. -#}
{% macro told(figure, lower, upper) -%}
    case when {{ upper }} - {{ lower }} <= {{ figure }} then {{ figure }} end
{%- endmacro %}
