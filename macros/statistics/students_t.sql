{#-
    How much of Student's t with `df` degrees of freedom, whole or not, is below t; null where they
    are not above 0. Good to 1e-12.

    With t = sqrt(df) * sinh(u), the density is cosh(u) to the power of -df. Its integral up to |t| is
    set against that up to where less than 1e-16 is left: so no gamma function is needed. Both are
    sums over the same 101 points, which crowd at both ends (tanh-sinh quadrature).
-#}
{%- macro students_t_cdf(t, df) -%}
    {%- set freedom = '(case when ' ~ df ~ ' > 0 then ' ~ df ~ ' end)' -%}
    (
        select
            0.5 + sign({{ t }}) / 2
            * sum(to_t * node_weight * exp(-{{ freedom }} * {{ log_of_cosh('(to_t * node_share)') }}))
            / sum(to_end * node_weight * exp(-{{ freedom }} * {{ log_of_cosh('(to_end * node_share)') }}))
        from (
            select
                node_weight,
                node_share,
                to_end,
                least(asinh(abs({{ t }}) / sqrt({{ freedom }})), to_end) as to_t
            from (
                select
                    1 / (1 + exp(-3.141592653589793 * sinh(node / 16e0))) as node_share,
                    cosh(node / 16e0) / (1 + cosh(3.141592653589793 * sinh(node / 16e0))) as node_weight,
                    40 / {{ freedom }} + sqrt(80 / {{ freedom }}) as to_end
                from {{ whole_numbers(-50, 50, 'node') }}
            ) as points
        ) as ends
    )
{%- endmacro -%}

{#- The logarithm of the hyperbolic cosine of a number that is not negative, however small or large. -#}
{%- macro log_of_cosh(u) -%}
    case
        when {{ u }} < 0.01
            then {{ u }} * {{ u }} * (0.5 - {{ u }} * {{ u }} * (1e0 / 12 - {{ u }} * {{ u }} / 45))
        else {{ u }} - 0.6931471805599453 + ln(1 + exp(-2 * {{ u }}))
    end
{%- endmacro -%}

{#-
    The t below which a share p of Student's t is, for p from 0.001 to 0.999 and at least one degree of
    freedom; null for any other. Good to 1e-8 of its value.

    It begins with Cornish and Fisher's expansion of the normal quantile. Halley's method then mends u
    four times, of the same integral as above: each step brings three times as many digits, and what is
    farthest off has them all after the fourth.
-#}
{%- macro students_t_quantile(p, df) -%}
    {%- set freedom = '(case when ' ~ df ~ ' >= 1 then ' ~ df ~ ' end)' -%}
    {%- set upper = '(case when ' ~ p ~ ' between 0.001 and 0.999 then greatest(' ~ p ~ ', 1 - ' ~ p ~ ') end)' -%}
    {%- set steps = namespace(sql='(select freedom, target, asinh((' ~ polynomial('(1 / freedom)', [
        'z', '(z * z + 1) * z / 4', '(5 * power(z, 5) + 16 * power(z, 3) + 3 * z) / 96',
        '(3 * power(z, 7) + 19 * power(z, 5) + 17 * power(z, 3) - 15 * z) / 384',
    ]) ~ ') / sqrt(freedom)) as u from (select freedom, 2 * upper - 1 as target, '
        ~ normal_quantile('upper') ~ ' as z from (select ' ~ freedom ~ ' as freedom, '
        ~ upper ~ ' as upper) as given) as normals) as guess') -%}
    {%- for _ in range(4) -%}
        {%- set steps.sql = '(' ~ students_t_step(steps.sql) ~ ') as step_' ~ loop.index -%}
    {%- endfor -%}
    (select sign({{ p }} - 0.5) * sqrt(freedom) * sinh(u) from {{ steps.sql }})
{%- endmacro -%}

{#- One step towards the u up to which the integral is the target. -#}
{%- macro students_t_step(guesses) -%}
    select
        freedom,
        target,
        u - beyond / (1 + beyond * freedom * tanh(u) / 2) as u
    from (
        select
            freedom,
            target,
            u,
            3.141592653589793 / 32 * exp(freedom * {{ log_of_cosh('u') }}) * (
                select
                    sum(u * node_weight * exp(-freedom * {{ log_of_cosh('(u * node_share)') }}))
                    - target
                    * sum(to_end * node_weight * exp(-freedom * {{ log_of_cosh('(to_end * node_share)') }}))
                from (
                    select
                        1 / (1 + exp(-3.141592653589793 * sinh(node / 16e0))) as node_share,
                        cosh(node / 16e0) / (1 + cosh(3.141592653589793 * sinh(node / 16e0))) as node_weight,
                        40 / freedom + sqrt(80 / freedom) as to_end
                    from {{ whole_numbers(-50, 50, 'node') }}
                ) as points
            ) as beyond
        from {{ guesses }}
    ) as beyonds
{%- endmacro -%}
