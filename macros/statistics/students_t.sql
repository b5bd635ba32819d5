{#-
    How much of Student's t with `df` degrees of freedom, whole or not, is below t. For columns or
    short expressions: they are repeated.

    The incomplete beta function as a series, of what is within |t| where t² is at most df, else of
    what is beyond it: there it converges, all terms are positive, and 120 of them are enough. What
    is beyond 8.5 of many degrees of freedom is nothing.
-#}
{%- macro students_t_cdf(t, df) -%}
    {%- set far = 'least(abs(' ~ t ~ '), 1e100)' -%}
    {%- set square = '(' ~ far ~ ' * ' ~ far ~ ')' -%}
    {%- set ratio = '(' ~ square ~ ' / ' ~ df ~ ')' -%}
    {%- set is_within = square ~ ' <= ' ~ df -%}
    {%- set share = '(least(' ~ square ~ ', ' ~ df ~ ') / (' ~ df ~ ' + ' ~ square ~ '))' -%}
    {%- set base = '(case when ' ~ is_within ~ ' then 1 else ' ~ df ~ ' end)' -%}
    {%- set series = namespace(sql='1') -%}
    {%- for n in range(120, 0, -1) -%}
        {%- set series.sql = '(1 + (' ~ df ~ ' + ' ~ (2 * n - 1) ~ ') / (' ~ base ~ ' + ' ~ 2 * n ~ ') * ' ~ share ~ ' * ' ~ series.sql ~ ')' -%}
    {%- endfor -%}
    {%- set beta = gamma_of_half_more(df) ~ ' / 1.7724538509055160' -%}
    case
        when not {{ df }} > 0 then null
        when {{ is_within }}
            then 0.5 + sign({{ t }}) / 2 * case
                when {{ far }} > 8.5 then 1
                else
                    2 * sqrt({{ share }}) * exp(-{{ df }} / 2 * {{ log_of_one_more(ratio) }})
                    * {{ beta }} * {{ series.sql }}
            end
        else
            0.5 + sign({{ t }}) / 2 * (
                1 - exp(-{{ df }} / 2 * ln(1 + {{ ratio }})) / sqrt(1 + 1 / {{ ratio }})
                * 2 / {{ df }} * {{ beta }} * {{ series.sql }}
            )
    end
{%- endmacro -%}

{#- The logarithm of 1 + x, also where x is so small that the sum is 1. -#}
{%- macro log_of_one_more(x) -%}
    case
        when {{ x }} < 1e-4 then {{ x }} * (1 - {{ x }} * (0.5 - {{ x }} * (1e0 / 3 - {{ x }} / 4)))
        else ln(1 + {{ x }})
    end
{%- endmacro -%}

{#- Gamma of (df + 1) / 2, by that of df / 2: its series for large numbers, twelve steps further up. -#}
{%- macro gamma_of_half_more(df) -%}
    {%- set z = '(' ~ df ~ ' / 2 + 12)' -%}
    {%- set steps = [] -%}
    {%- for n in range(0, 24, 2) -%}
        {%- do steps.append('(' ~ df ~ ' + ' ~ n ~ ') / (' ~ df ~ ' + ' ~ (n + 1) ~ ')') -%}
    {%- endfor -%}
    (
        sqrt({{ z }})
        * {{ polynomial('(1 / ' ~ z ~ ')', [
            '1e0', '-0.125', '0.0078125', '4.8828125e-3', '-6.408691406250e-4', '-1.522064208984375e-3',
            '2.071857452392578e-4', '1.171976327896118e-3',
        ]) }}
        * {{ steps | join(' * ') }}
    )
{%- endmacro -%}
