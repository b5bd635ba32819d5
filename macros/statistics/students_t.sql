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
            * sum(near * weight * exp(-{{ freedom }} * {{ log_of_cosh('(near * share)') }}))
            / sum(far * weight * exp(-{{ freedom }} * {{ log_of_cosh('(far * share)') }}))
        from (
            select
                weight,
                share,
                far,
                least(asinh(abs({{ t }}) / sqrt({{ freedom }})), far) as near
            from (
                select
                    1 / (1 + exp(-3.141592653589793 * sinh(point / 16e0))) as share,
                    cosh(point / 16e0) / (1 + cosh(3.141592653589793 * sinh(point / 16e0))) as weight,
                    40 / {{ freedom }} + sqrt(80 / {{ freedom }}) as far
                from {{ whole_numbers(-50, 50, 'point') }}
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
