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
    The t below which a share p of Student's t is, for p from 0.005 to 0.995 and at least 5 degrees of
    freedom; null for any other. Good to 1e-8 of its value.

    It begins with Cornish and Fisher's expansion of the normal quantile, and one step of Halley's method
    mends its u, by the same integral as above: with three times as many digits, that is enough. A
    second step would be a subquery in a subquery, which takes DuckDB minutes to plan. `z` names the
    normal quantile of p or 1 - p, whichever is greater, where a step before has computed it.
-#}
{%- macro students_t_quantile(p, df, z=none) -%}
    (
        select
            max(side) * sqrt(max(freedom)) * sinh(
                max(u) - max(beyond) / (1 + max(beyond) * max(freedom) * tanh(max(u)) / 2)
            )
        from (
            select
                max(side) as side,
                max(freedom) as freedom,
                max(u) as u,
                3.141592653589793 / 32 * exp(max(freedom * {{ log_of_cosh('u') }})) * (
                    sum(u * node_weight * exp(-freedom * {{ log_of_cosh('(u * node_share)') }}))
                    - sum((2 * upper - 1) * to_end * node_weight * exp(-freedom * {{ log_of_cosh('(to_end * node_share)') }}))
                ) as beyond
            from (
                select
                    side,
                    upper,
                    freedom,
                    1 / (1 + exp(-3.141592653589793 * sinh(node / 16e0))) as node_share,
                    cosh(node / 16e0) / (1 + cosh(3.141592653589793 * sinh(node / 16e0))) as node_weight,
                    40 / freedom + sqrt(80 / freedom) as to_end,
                    asinh({{ polynomial('(1 / freedom)', [
                        'z',
                        '(z * z + 1) * z / 4',
                        '(5 * power(z, 5) + 16 * power(z, 3) + 3 * z) / 96',
                        '(3 * power(z, 7) + 19 * power(z, 5) + 17 * power(z, 3) - 15 * z) / 384',
                        '(79 * power(z, 9) + 776 * power(z, 7) + 1482 * power(z, 5) - 1920 * power(z, 3) - 945 * z) / 92160',
                    ]) }} / sqrt(freedom)) as u
                from (
                    select
                        *,
                        {{ z or normal_quantile('upper') }} as z
                    from (
                        select
                            node,
                            sign({{ p }} - 0.5) as side,
                            case when {{ p }} between 0.005 and 0.995 then greatest({{ p }}, 1 - {{ p }}) end as upper,
                            case when {{ df }} >= 5 then cast({{ df }} as float64) end as freedom
                        from {{ whole_numbers(-50, 50, 'node') }}
                    ) as given
                ) as normals
            ) as points
        ) as sums
    )
{%- endmacro -%}
