{#-
    How much of chi-square with `df` degrees of freedom, a whole number up to 60, is beyond x; null
    for any other. For columns or short expressions: they are repeated. It is a finite sum, whose
    terms are all positive; an odd one begins with the tail of the normal distribution.
-#}
{%- macro chi_square_tail(x, df) -%}
    {%- set half = '(' ~ x ~ ' / 2)' -%}
    {%- set even, odd = namespace(sql='1'), namespace(sql='1') -%}
    {%- for n in range(29, 0, -1) -%}
        {%- set even.sql = '(1 + case when ' ~ df ~ ' > ' ~ 2 * n ~ ' then ' ~ half ~ ' / ' ~ n ~ ' else 0 end * ' ~ even.sql ~ ')' -%}
        {%- set odd.sql = '(1 + case when ' ~ df ~ ' > ' ~ (2 * n + 1) ~ ' then ' ~ half ~ ' / ' ~ n ~ '.5 else 0 end * ' ~ odd.sql ~ ')' -%}
    {%- endfor -%}
    case
        when not ({{ df }} between 1 and 60) then null
        when {{ x }} <= 0 then 1e0
        when {{ x }} > 1400 then 0e0
        when {{ df }} in ({{ range(2, 61, 2) | join(', ') }}) then exp(-{{ half }}) * {{ even.sql }}
        when {{ df }} in ({{ range(1, 60, 2) | join(', ') }})
            then 2 * {{ normal_tail('sqrt(' ~ x ~ ')') }}
                + case when {{ df }} > 1 then 2 * sqrt({{ half }} / 3.141592653589793) else 0 end
                * exp(-{{ half }}) * {{ odd.sql }}
    end
{%- endmacro -%}
