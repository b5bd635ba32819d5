{#-
    Distinct people of a cell who completed what they joined. Null where nobody joined, where what
    became of a join is not told, and where those who did or did not are too few.
-#}
{%- macro people_who_completed(subject, step, outcome) -%}
    {%- set joined = "count(distinct case when " ~ step ~ " = 'joined' then " ~ subject ~ " end)" -%}
    {%- set completed = "count(distinct case when " ~ outcome ~ " = 'completed' then " ~ subject ~ " end)" -%}
    case
        when count(case when {{ step }} = 'joined' and {{ outcome }} = 'Other' then 1 end) = 0
            and {{ joined }} > 0
            and ({{ completed }} = 0 or {{ completed }} >= {{ var('k') }})
            and ({{ joined }} = {{ completed }} or {{ joined }} - {{ completed }} >= {{ var('k') }})
            then {{ completed }}
    end
{%- endmacro -%}
