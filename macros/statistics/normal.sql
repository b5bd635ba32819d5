{#-
    The normal distribution, for columns or short expressions: they are repeated. The tail is Hart's
    rational approximation, and from 6 on, where it would lose more digits, a continued fraction, no
    deeper than readers of GoogleSQL bear: the 1 of its last step stands for all that would follow.
    It is good to 9 digits of its value; the quantile, which is Wichura's AS 241, to 14.
-#}

{#- How much of the distribution is beyond |z|, on one side. -#}
{%- macro normal_tail(z) -%}
    {%- set x = 'abs(' ~ z ~ ')' -%}
    {%- set fraction = namespace(sql='(' ~ x ~ ' + 1)') -%}
    {%- for n in range(6, 0, -1) -%}
        {%- set fraction.sql = '(' ~ x ~ ' + ' ~ n ~ ' / ' ~ fraction.sql ~ ')' -%}
    {%- endfor -%}
    case
        when {{ x }} > 37 then 0e0
        when {{ x }} < 6
            then
                exp(-{{ x }} * {{ x }} / 2)
                * {{ polynomial(x, [
                    '220.206867912376', '221.213596169931', '112.079291497871', '33.912866078383',
                    '6.37396220353165', '0.700383064443688', '3.52624965998911e-2',
                ]) }}
                / {{ polynomial(x, [
                    '440.413735824752', '793.826512519948', '637.333633378831', '296.564248779674',
                    '86.7807322029461', '16.064177579207', '1.75566716318264', '8.83883476483184e-2',
                ]) }}
        else
            exp(-{{ x }} * {{ x }} / 2) / {{ fraction.sql }} / 2.5066282746310002
    end
{%- endmacro -%}

{%- macro normal_cdf(z) -%}
    case when {{ z }} > 0 then 1 - {{ normal_tail(z) }} else {{ normal_tail(z) }} end
{%- endmacro -%}

{#- The z below which so much of the distribution is; null where that is not between 0 and 1. -#}
{%- macro normal_quantile(p) -%}
    {%- set q = '(' ~ p ~ ' - 0.5)' -%}
    {%- set middle = '(0.180625e0 - ' ~ q ~ ' * ' ~ q ~ ')' -%}
    {%- set r = 'sqrt(-ln(least(' ~ p ~ ', 1 - ' ~ p ~ ')))' -%}
    {%- set near, far = '(' ~ r ~ ' - 1.6)', '(' ~ r ~ ' - 5)' -%}
    case
        when not ({{ p }} > 0 and {{ p }} < 1) then null
        when abs({{ q }}) <= 0.425
            then {{ q }}
                * {{ polynomial(middle, [
                    '3.3871328727963666080e0', '1.3314166789178437745e2', '1.9715909503065514427e3',
                    '1.3731693765509461125e4', '4.5921953931549871457e4', '6.7265770927008700853e4',
                    '3.3430575583588128105e4', '2.5090809287301226727e3',
                ]) }}
                / {{ polynomial(middle, [
                    '1e0', '4.2313330701600911252e1', '6.8718700749205790830e2',
                    '5.3941960214247511077e3', '2.1213794301586595867e4', '3.9307895800092710610e4',
                    '2.8729085735721942674e4', '5.2264952788528545610e3',
                ]) }}
        when {{ r }} <= 5
            then sign({{ q }})
                * {{ polynomial(near, [
                    '1.42343711074968357734e0', '4.63033784615654529590e0', '5.76949722146069140550e0',
                    '3.64784832476320460504e0', '1.27045825245236838258e0', '2.41780725177450611770e-1',
                    '2.27238449892691845833e-2', '7.74545014278341407640e-4',
                ]) }}
                / {{ polynomial(near, [
                    '1e0', '2.05319162663775882187e0', '1.67638483018380384940e0',
                    '6.89767334985100004550e-1', '1.48103976427480074590e-1', '1.51986665636164571966e-2',
                    '5.47593808499534494600e-4', '1.05075007164441684324e-9',
                ]) }}
        else sign({{ q }})
            * {{ polynomial(far, [
                '6.65790464350110377720e0', '5.46378491116411436990e0', '1.78482653991729133580e0',
                '2.96560571828504891230e-1', '2.65321895265761230930e-2', '1.24266094738807843860e-3',
                '2.71155556874348757815e-5', '2.01033439929228813265e-7',
            ]) }}
            / {{ polynomial(far, [
                '1e0', '5.99832206555887937690e-1', '1.36929880922735805310e-1',
                '1.48753612908506148525e-2', '7.86869131145613259100e-4', '1.84631831751005468180e-5',
                '1.42151175831644588870e-7', '2.04426310338993978564e-15',
            ]) }}
    end
{%- endmacro -%}

{#-
    A polynomial of x, its coefficients from that of x to the 0. Neighbours are added first, after
    Estrin: a sum of eight is nested three deep and not seven, which readers of GoogleSQL bear.
-#}
{%- macro polynomial(x, coefficients) -%}
    {%- set state = namespace(terms=coefficients, power=x) -%}
    {%- for _ in range(6) if state.terms | length > 1 -%}
        {%- set pairs = [] -%}
        {%- for pair in state.terms | batch(2) -%}
            {%- do pairs.append(
                '(' ~ pair[0] ~ ' + ' ~ state.power ~ ' * ' ~ pair[1] ~ ')' if pair | length == 2 else pair[0]
            ) -%}
        {%- endfor -%}
        {%- set state.terms = pairs -%}
        {%- set state.power = 'power(' ~ x ~ ', ' ~ 2 ** loop.index ~ ')' -%}
    {%- endfor -%}
    {{ state.terms[0] }}
{%- endmacro -%}
