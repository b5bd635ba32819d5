{#-
    Models that came out of this build with a failure, and those of earlier builds that no build has
    made well since: a build of a few models says nothing about the others.
-#}
{%- macro red_models(results) -%}
{%- set red = {} -%}
{%- set last = adapter.get_relation(target.database, target.schema, 'last_build') -%}
{%- if last -%}
    {%- if 'red_models' in adapter.get_columns_in_relation(last) | map(attribute='name') -%}
        {%- set names = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | map(attribute='name') | list -%}
        {%- for name in run_query('select red_models from ' ~ last).columns[0].values()[0].split(' ') if name in names -%}
            {%- do red.update({name: true}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ commit() }}  {#- else the hook that asks would be part of what was begun here, and undone -#}
{%- endif -%}
{%- for result in results if result.node.resource_type == 'model' -%}
    {%- do red.update({result.node.name: result.status != 'success'}) -%}
{%- endfor -%}
{%- for result in results if result.node.resource_type != 'model' and result.status in ['error', 'fail', 'runtime error'] -%}
    {%- for id in result.node.depends_on.nodes if id.startswith('model.') -%}
        {%- do red.update({id.split('.')[2]: true}) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set found = [] -%}
{%- for name, is_red in red.items() if is_red -%}
    {%- do found.append(name) -%}
{%- endfor -%}
{{ return(found | sort) }}
{%- endmacro -%}
