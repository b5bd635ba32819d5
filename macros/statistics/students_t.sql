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
