{#-
    How much of chi-square with `df` degrees of freedom, a whole number up to 200, is beyond x; null
    for any other. For columns or short expressions: they are repeated. It is a finite sum of positive
    terms, (x / 2) to the power of n / 2 by its gamma function, over every second n below df; an odd
    one begins with the tail of the normal distribution beyond the root of x, which `root_tail` names where
    a step before has computed it: so the two are not nested. Good to 9 digits of its value.
-#}
{%- macro chi_square_tail(x, df, root_tail=none) -%}
    {%- set root_tail = root_tail or normal_tail('sqrt(' ~ x ~ ')') -%}
    {%- set whole = 'cast(' ~ df ~ ' as int64)' -%}
    {%- set half = '(case when ' ~ x ~ ' > 0 then ' ~ x ~ ' / 2 else 1 end)' -%}
    case
        when {{ df }} between 1 and 200 and {{ df }} = {{ whole }}
            then case
                when {{ x }} <= 0 then 1e0
                when {{ x }} > 0
                    then case when mod({{ whole }}, 2) = 1 then 2 * {{ root_tail }} else 0 end
                        + coalesce((
                            select sum(exp(term / 2e0 * ln({{ half }}) - {{ half }} - log_of_gamma))
                            from (
                                select
                                    term,
                                    sum(case when term = 1 then -0.12078223763524522 else ln(greatest(term, 2) / 2e0) end)
                                        over (partition by mod(term, 2) order by term) as log_of_gamma
                                from {{ whole_numbers(0, 198, 'term') }}
                            ) as terms
                            where term <= {{ whole }} - 2 and mod(term, 2) = mod({{ whole }}, 2)
                        ), 0)
            end
    end
{%- endmacro -%}
