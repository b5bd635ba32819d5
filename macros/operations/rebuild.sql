{#-
    What `assay rebuild` asks for with the variable `rebuild`: a model and the first and last day of
    a span. The span applies to that model and to all that is made of it.
-#}
{%- macro is_rebuilt() -%}
    {%- set rebuild = var('rebuild', none) -%}
    {{ return(execute and rebuild is not none and rebuild.model in made_of(model.unique_id)) }}
{%- endmacro -%}

{#-
    The same for the arrivals that feed a silver model: rebuilding it, or anything between the two,
    means to read its rows in bronze again.
-#}
{%- macro is_read_again(fed) -%}
    {%- set rebuild = var('rebuild', none) -%}
    {%- set found = [] -%}
    {%- if execute and rebuild is not none -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name in fed -%}
            {%- do found.extend(made_of(node.unique_id)) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rebuild is not none and rebuild.model in found) }}
{%- endmacro -%}

{#- Names of a model and of every model that it is made of. -#}
{%- macro made_of(unique_id) -%}
    {%- set seen = [unique_id] -%}
    {%- set names = [] -%}
    {%- for id in seen if id in graph.nodes -%}  {#- grows while it is walked -#}
        {%- do names.append(graph.nodes[id].name) -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent not in seen -%}
            {%- do seen.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro -%}

{#- Condition that a day is in the span. -#}
{%- macro in_rebuilt_span(day) -%}
    {%- set rebuild = var('rebuild') -%}
    {{ day }} between cast('{{ rebuild["from"] }}' as date) and cast('{{ rebuild["to"] }}' as date)
{%- endmacro -%}

{#- Say what becomes of the days of the span: those there are below, less those left alone. -#}
{%- macro tell_days(name, below, left_alone) -%}
    {%- set anew = below | reject('in', left_alone) | list -%}
    {%- do log(name ~ ': ' ~ days_in_words(anew) ~ ' made anew', info=true) -%}
    {%- if left_alone -%}
        {%- do log(
            name ~ ': ' ~ days_in_words(left_alone) ~ ' left alone, the layer below no longer holds them whole',
            info=true
        ) -%}
    {%- endif -%}
{%- endmacro -%}

{#- How many days, and the first and last of them. -#}
{%- macro days_in_words(days) -%}
    {%- if days | length == 1 -%}
        1 day, {{ days[0] }},
    {%- elif days -%}
        {{ days | length }} days, {{ days[0] }} to {{ days[-1] }},
    {%- else -%}
        no day
    {%- endif -%}
{%- endmacro -%}

{#-
    Days of the span that silver holds more of than bronze does: some of their batches have expired,
    and read again they would come out as a part.
-#}
{%- macro days_bronze_lacks(bronze, silver, silver_time) -%}
    {%- set day = utc_day('kept.' ~ silver_time) -%}
    {%- set found = run_query(
        'select distinct ' ~ day ~ ' as period_day from ' ~ silver ~ ' as kept left join ' ~ bronze
        ~ ' as landed on ' ~ same('kept', 'landed', ['batch_id', 'line_number'])
        ~ ' where (landed.batch_id is null or landed.payload_hash is null) and ' ~ in_rebuilt_span(day) ~ ' order by period_day'
    ).columns[0].values() -%}
    {{ return(found) }}
{%- endmacro -%}
