"""The templates that interop/templates.py renders, each with a row."""

ROW = {
    "flag": True, "none": None, "opts": ["a b", "c"], "obj": {"k": "v", "n": 1, "a": [1, 2.5, None, True]},
    "f": 0.1, "one": 1.0, "big": 1e22, "small": 1e-07, "i": 12345678901234567, "s": "hello World.", "q": "it's",
    "dq": 'say "it\'s"', "n": 3, "u": "Ünïcode 東京 \u200b\x7f\u00a0é", "neg": -7, "empty": "", "e": [], "eo": {},
    "ds": [{"t": "x", "l": "A", "v": 2}, {"t": "y", "l": "B", "v": 1}, {"t": "Z", "l": "A", "v": 3}],
    "nl": "one\ntwo\r\nthree\tfour\\five", "choices": {"text": ["France", "small"], "label": ["A", "B"]},
    "order": {"zeta": 1, "Alpha": 0, "beta": {"y": 2, "x": 1}}, "nums": [3, 1, 2, 10, 2],
    "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}], "words": ["apple", "Bob", "cat", "apple", "BOB"],
    "html": "<p class='x'>A &amp; B</p> <!-- no --> c &lt; d &#39;x&#39; &nbsp;", "long": "The quick brown fox jumps over the lazy dog again",
    "items": "a field named items", "values": [1, 2], "title": "a field named title", "text": "plain",
    "nested": [[1, [2, [3]]], [["x"]]], "sp": "  pad \t", "num_s": "42", "fl_s": " 3.7 ", "bad": "x1",
    "e5": 1e16, "e4": 123456789012345.0, "tiny": 0.0001, "tinier": 0.00001, "third": 0.3333333333333333,
    "csv": "a,b,,c", "path": "a/b c?d=é&e", "json_s": "[\"a\", 1]", "ctx": "Passage [title] x [step] y",
}

# Values printed.
PRINT = [
    "{{flag}} {{none}} {{f}} {{one}} {{big}} {{small}} {{i}} {{neg}} {{e5}} {{e4}} {{tiny}} {{tinier}} {{third}}",
    "{{opts}}", "{{obj}}", "{{ds}}", "{{mixed}}", "{{nested}}", "{{order}}", "{{e}}{{eo}}{{empty}}",
    "{{[q]}} {{[dq]}} {{[s]}} {{[u]}} {{[nl]}}", "{{(1,)}} {{()}} {{(1,'a',None)}} {{1,2}}", "{{ {1: 'a', 'b': 2.0, None: (), True: 3} }}",
    "{{ [1.5, -0.0, 1e100, 1e-5, 123456.789, 100000000000000000000.0] }}", "{{ 2**100 }} {{ -2**63 }} {{ 10**20 // 3 }}",
    "{{ 'a' 'b' \"c\" }}", r"{{ 'tab\tnl\nq\'dq\"bs\\u\u00e9x\x41o\101 \d é' }}", "{{ \"it's\" }} {{ ['it\\'s', 'a\"b', 'a\\'b\"c'] }}",
    "{{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_000 }} {{ 1e3 }} {{ 1.5E-3 }} {{ 12_3.4_5 }}", "{{ range(3) }} {{ range(1,10,3) }} {{ range(3)|list }}",
    "{{ order.keys() }} {{ order.values() }} {{ order.items() }}", "{{ true }} {{ True }} {{ none }} {{ None }} {{ false }}",
    "{{ obj.a }} {{ obj['k'] }} {{ obj.missing is defined }} {{ opts.0 }} {{ opts[1] }} {{ opts[-1] }} {{ choices.text[0] }}",
    "{{ order.beta.y }} {{ order['zeta'] }} {{ order.get('nope') }} {{ order.get('nope', 'd') }} {{ order.get('zeta') }}",
    "{{ float('nan') }}", "{{ 'inf'|float }} {{ '-inf'|float }} {{ 'nan'|float }} {{ ['inf'|float] }}",
    "{{ [true, none, 1] ~ '' }}", "{{ 1 ~ 2.0 ~ none ~ [1] ~ {'a': 1} }}", "{{ u }}", "{{ [u] }}", "{{ ['\\x00\\x1f\\x7f\\x80\\xad'] }}",
    "{{ ['\\u2028\\u3000\\ufeff\\U0001F600\\u0378\\ue000'] }}", "{{ 1_0.0 }}", "{{ 1.0e+2 }}", "{{ 5.0 // 2 }} {{ 1e300*1e10 }}",
    "{{items}} {{values}} {{title}} {{text}}", "{{ html|safe }} {{ [html|e] }}",
]

# Operators.
OPERATORS = [
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }}",
    "{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 1 + 1.5 }} {{ 3 * 1.0 }} {{ 3 - 5 }} {{ 0.1 + 0.2 }}",
    "{{ 1 + true }} {{ true + true }} {{ true * 3 }} {{ -true }} {{ +5 }} {{ -neg }} {{ - 3 ** 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}",
    "{{ 'a' * 3 }} {{ 3 * 'ab' }} {{ 'a' * 0 }} {{ 'a' * -1 }} {{ [1, 2] * 2 }} {{ (1,) * 3 }} {{ [0] * n }}",
    "{{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ opts + ['x'] }}", "{{ 'a' + 1 }}", "{{ 1 + 'a' }}", "{{ [1] + (2,) }}", "{{ none + 1 }}", "{{ {} + {} }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 > 1 }} {{ 1 == 1 == 1 }} {{ 1 < 2 == true }} {{ (1 < 2) == true }} {{ 1 != 2 != 1 }}",
    "{{ 1 == 1.0 }} {{ 1 == true }} {{ 0 == false }} {{ '1' == 1 }} {{ none == none }} {{ [1, 2] == [1, 2.0] }} {{ (1,) == [1] }} {{ {'a': 1} == {'a': 1.0} }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }}",
    "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ 'a' in 'abc' }} {{ '' in 'abc' }} {{ 'd' not in 'abc' }} {{ 1 in [1.0] }} {{ 'k' in obj }} {{ 'v' in obj }} {{ 'v' in obj.values() }} {{ ('k', 'v') in obj.items() }} {{ 2 in range(3) }} {{ not 1 in [2] }}",
    "{{ 1 in 'abc' }}", "{{ 1 in 5 }}", "{{ not true }} {{ not '' }} {{ not [] }} {{ not 0.0 }} {{ not none }} {{ not not 1 }} {{ not {} }} {{ not range(0) }}",
    "{{ '' or 'x' }} {{ 'a' or 'b' }} {{ 'a' and 'b' }} {{ 0 and 1 }} {{ none or [] or 'z' }} {{ 1 and 2 or 3 }} {{ false or none }}",
    "{{ 'y' if flag else 'n' }} {{ 'y' if none else 'n' }} {{ 'a' if false else 'b' if false else 'c' }} {{ 1 if n > 2 else 2 }}",
    "{{ 'y' if false }}", "[{{ 'y' if false }}]", "{{ '%s' % s }} {{ '%s and %s' % (s, n) }} {{ '%d%%' % 50 }} {{ '%5.2f|%-5d|%05d|%+d|% d' % (3.14159, 42, 42, 42, 42) }}",
    "{{ '%s' % [1, 2] }} {{ '%s' % none }} {{ '%s' % true }} {{ '%r' % s }} {{ '%r %s' % (q, q) }} {{ '%a' % 'é' }}", "{{ '%x %X %o %#x %#o' % (255, 255, 8, 255, 8) }}",
    "{{ '%e %E %g %G %g %g %g' % (12345.678, 0.00012, 1e10, 1e-10, 100000.0, 1000000.0, 0.0001) }}", "{{ '%.3g %.0f %.1f %.10g %#.3g' % (1234.5, 2.5, 0.25, 0.1, 1.0) }}",
    "{{ '%(k)s-%(n)03d' % obj }}", "{{ '%(nope)s' % obj }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % (1, 2) }}", "{{ '%d' % 'a' }}", "{{ '%d' % 3.99 }} {{ '%i' % true }}", "{{ '%c%c' % (65, 'b') }}", "{{ '%*d|%-*d|%.*f' % (5, 42, 5, 42, 2, 3.14159) }}",
    "{{ '%5s|%-5s|%.2s|%5.1s' % ('ab', 'ab', 'abc', 'xyz') }}", "{{ '%' % 1 }}", "{{ '%y' % 1 }}", "{{ 'a%' % () }}", "{{ '%s' % () }}", "{{ '%%' % () }}", "{{ 'x' % [1] }}", "{{ 'x' % obj }}", "{{ 'x' % 1 }}",
    "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.0 / 0 }}", "{{ 0 ** -1 }}", "{{ 10 / 3 }} {{ 1 / 3 }} {{ 2 / 3 * 3 }} {{ 10**17 / 3 }} {{ 2**64 / 7 }}", "{{ 10**400 / 10**399 }}", "{{ 2**2000 * 1.0 }}",
    "{{ 5 ~ '' == '5' }}", "{{ [1, 2, 3][0] + 1 }}", "{{ 1 if 1 < 2 and 'a' in opts[0] else 0 }}", "{{ 3|string * 2 }}", "{{ -1|abs }}", "{{ (-1)|abs }}", "{{ 1 + 2|string|length }}", "{{ not a is defined }}", "{{ 2 * 3 ~ 1 + 1 }}",
    "{{ 'a' ~ 'b' * 2 }}", "{{ 1 - -1 }}", "{{ 2--1 }}", "{{ 10 % 4 * 2 }}", "{{ 1e308 * 10 }}", "{{ 9007199254740993 == 9007199254740993.0 }} {{ 9007199254740993 < 9007199254740994.0 }}",
]

# Slices and items.
SLICES = [
    "{{ s[0] }} {{ s[-1] }} {{ s[1:3] }} {{ s[:5] }} {{ s[6:] }} {{ s[::-1] }} {{ s[::2] }} {{ s[-5:-1] }} {{ s[8:2:-2] }} {{ s[100:] }}|",
    "{{ nums[1:3] }} {{ nums[:-1] }} {{ nums[::-1] }} {{ nums[::2] }} {{ nums[-2:] }} {{ nums[5:1] }} {{ nums[:] }} {{ nums[3:0:-1] }} {{ nums[none:2] }}",
    "{{ (1,2,3)[1:] }} {{ (1,2,3)[::-1] }} {{ u[:3] }} {{ u[8:10] }}", "{{ nums[::0] }}", "{{ nums[1.0] }}", "{{ nums[10] }}", "{{ s[100] }}", "{{ obj[0] }}", "{{ n[0] }}", "{{ nums['x'] }}", "{{ nums[true] }}", "{{ range(10)[3] }} {{ range(10)[-1] }}",
    "{{ nums.1 }} {{ ds.0.t }} {{ ds[1]['l'] }} {{ choices['text'][1] }} {{ choices.label[0] }}", "{{ nested[0][1][1][0] }}", "{{ s[1:][0] }}", "{{ s[n] }} {{ nums[n - 1] }}", "{{ obj['a'][1:] }}", "{{ nums[:'a'] }}", "{{ obj[1:2] }}",
]

METHODS = [
    "{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.capitalize() }} {{ s.swapcase() }} {{ 'ßtraße İ ŉ'.casefold() }} {{ 'ΑΣ'.lower() }} {{ 'ǆ ﬁ ß'.title() }} {{ 'ǆ ﬁ ß'.capitalize() }} {{ \"they're bill's\".title() }} {{ 'aB1cD'.swapcase() }}",
    "{{ sp.strip() }}|{{ sp.lstrip() }}|{{ sp.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ '\\u3000x\\x1f'.strip() }}|{{ s.strip('.hd') }}",
    "{{ csv.split(',') }} {{ csv.split(',', 1) }} {{ csv.rsplit(',', 1) }} {{ s.split() }} {{ '  a  b c '.split() }} {{ '  a  b c '.split(none, 1) }} {{ '  a  b c '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a'.split('a') }} {{ 'aXbXc'.split('X', maxsplit=1) }} {{ 'a b'.split(' ', 0) }} {{ ' a b '.split(none, 0) }}",
    "{{ s.split('') }}", "{{ nl.splitlines() }} {{ nl.splitlines(true) }} {{ 'a\\n'.splitlines() }} {{ 'a\\n\\nb'.splitlines() }} {{ ''.splitlines() }} {{ 'a\\x0bb\\u2028c'.splitlines() }} {{ 'a\\r\\nb'.splitlines(keepends=true) }}",
    "{{ s.partition(' ') }} {{ s.rpartition('o') }} {{ s.partition('zz') }} {{ s.rpartition('zz') }} {{ 'k: v: w'.partition(': ') }}", "{{ s.partition('') }}",
    "{{ s.find('o') }} {{ s.find('zz') }} {{ s.rfind('o') }} {{ s.index('o') }} {{ s.rindex('o') }} {{ s.count('o') }} {{ s.count('') }} {{ ''.count('') }} {{ s.find('o', 5) }} {{ s.find('o', 0, 4) }} {{ s.count('l', 3) }} {{ s.find('', 100) }} {{ s.find('', 12) }} {{ s.rfind('l', -4) }} {{ u.find('東') }} {{ 'aaaa'.count('aa') }}",
    "{{ s.index('zz') }}", "{{ s.rindex('zz') }}", "{{ s.replace('o', '0') }} {{ s.replace('o', '0', 1) }} {{ 'abc'.replace('', '-') }} {{ 'abc'.replace('', '-', 2) }} {{ s.replace('zz', 'y') }} {{ 'aaa'.replace('aa', 'b') }}",
    "{{ s.startswith('hello') }} {{ s.endswith('.') }} {{ s.startswith(('x', 'he')) }} {{ s.startswith('World', 6) }} {{ s.endswith('World', 0, -1) }} {{ s.startswith('') }} {{ s.startswith('h', 1) }}", "{{ s.startswith(['a']) }}", "{{ s.startswith(1) }}",
    "{{ s.removeprefix('hello ') }} {{ s.removesuffix('.') }} {{ s.removeprefix('x') }} {{ s.removesuffix('') }}", "{{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ '+7'.zfill(1) }} {{ 'abc'.zfill(5) }} {{ ''.zfill(2) }}",
    "{{ 'ab'.ljust(5) }}|{{ 'ab'.rjust(5) }}|{{ 'ab'.center(5) }}|{{ 'abc'.center(6) }}|{{ 'ab'.center(5, '*') }}|{{ 'ab'.ljust(1) }}|{{ 'ab'.rjust(5, '0') }}|{{ 'abc'.center(4) }}|{{ 'ab'.center(7, '-') }}", "{{ 'ab'.center(5, 'xy') }}",
    "{{ 'a\\tb\\n\\tc'.expandtabs() }}|{{ 'a\\tb'.expandtabs(4) }}|{{ 'ab\\tc'.expandtabs(2) }}|{{ 'a\\tb'.expandtabs(0) }}", "{{ ', '.join(opts) }} {{ ''.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ','.join(order) }} {{ ','.join(order.keys()) }} {{ ' '.join(words|map('upper')) }}", "{{ ','.join([1, 2]) }}", "{{ ','.join(5) }}",
    "{{ 'abc'.isalpha() }} {{ 'ab1'.isalpha() }} {{ ''.isalpha() }} {{ 'é東'.isalpha() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ '²'.isdecimal() }} {{ '½'.isnumeric() }} {{ '一二'.isnumeric() }} {{ '٣'.isdecimal() }} {{ 'ab1'.isalnum() }} {{ 'a b'.isalnum() }} {{ ' \\t'.isspace() }} {{ ''.isspace() }} {{ '\\x1c'.isspace() }}",
    "{{ 'abc'.islower() }} {{ 'aBc'.islower() }} {{ '12'.islower() }} {{ 'a1'.islower() }} {{ 'ABC'.isupper() }} {{ 'A1'.isupper() }} {{ ''.isupper() }} {{ 'Abc Def'.istitle() }} {{ 'Abc def'.istitle() }} {{ 'ABc'.istitle() }} {{ '1A'.istitle() }} {{ 'abc'.isascii() }} {{ 'é'.isascii() }} {{ 'a_1'.isidentifier() }} {{ '1a'.isidentifier() }} {{ 'a b'.isprintable() }} {{ 'a\\n'.isprintable() }} {{ ''.isprintable() }}",
    "{{ '{} and {}'.format(s, n) }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}-{y}'.format(x=1, y=[2]) }} {{ '{{}}'.format() }} {{ '{!r} {!s} {!a}'.format(q, q, 'é') }} {{ '{0[0]} {1[k]}'.format(opts, obj) }}",
    "{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^7}|{:05d}|{:+d}|{: d}|{:,}|{:_}'.format('ab', 'ab', 'ab', 'ab', 'ab', 42, 42, 42, 1234567, 1234567) }}",
    "{{ '{:.2f}|{:8.3f}|{:e}|{:g}|{:%}|{:.1%}|{:.3}|{:,.2f}|{:08.2f}|{:+.1f}'.format(3.14159, 3.14159, 12345.678, 0.0001, 0.25, 0.256, 3.14159, 1234567.891, -3.14159, 2.0) }}",
    "{{ '{:x}|{:X}|{:#x}|{:o}|{:b}|{:#b}|{:08b}|{:c}|{:n}'.format(255, 255, 255, 8, 5, 5, 5, 65, 1234) }}", "{{ '{:>{}}|{:{w}.{p}f}'.format('a', 5, 3.14159, w=8, p=2) }}", "{{ '{:.3s}|{:10.2}|{!r:>8}'.format('abcdef', 'abcdef', 'a') }}",
    "{{ '{:d}'.format('a') }}", "{{ '{}'.format() }}", "{{ '{x}'.format() }}", "{{ '{'.format() }}", "{{ '}'.format() }}", "{{ '{:.2d}'.format(5) }}", "{{ '{:5}|{:<5}|{:05}'.format(42, 42, 42) }} {{ '{:5}|{}'.format(1.5, none) }} {{ '{:>6}|{:d}'.format(true, true) }}", "{{ '{:5}'.format(none) }}", "{{ '{:5}'.format([1]) }}", "{{ '{0} {}'.format(1, 2) }}",
    "{{ '{k} {n}'.format_map(obj) }} {{ '{k} {n}'.format(**obj) }} {{ '{} {}'.format(*opts) }}", "{{ '{:.3}|{:.0f}|{:.1}|{:.2}|{}'.format(100.0, 0.5, 100.0, 0.00001, 1e16) }}", "{{ '{:=+6d}|{:<06d}|{:^+8.1f}|{:e}'.format(42, 42, 3.0, 0.0) }}", "{{ '{:,}|{:,}|{:012,}|{:,}'.format(999, 1000, 1234567, -1234567.5) }}",
    "{{ 'abc'.translate({97: 'x', 98: none, 99: 100}) }} {{ 'abc'.translate('abc'.maketrans('ab', 'xy')) }} {{ 'abc'.translate('abc'.maketrans({'a': 'zz'})) }} {{ 'abc'.translate(''.maketrans('a', 'b', 'c')) }}",
    "{{ opts.index('c') }} {{ nums.index(2) }} {{ nums.index(2, 3) }} {{ nums.count(2) }} {{ nums.count('x') }} {{ (1, 2).index(2) }} {{ mixed.index(none) }} {{ ['A','B','C'].index('B') }}", "{{ opts.index('zz') }}", "{{ (1,).index(5) }}",
    "{% set xs = [] %}{% set _ = xs.append(1) %}{% set _ = xs.extend([2, 3]) %}{% set _ = xs.insert(0, 0) %}{{ xs }} {{ xs.pop() }} {{ xs.pop(0) }} {{ xs }}{% set _ = xs.remove(2) %}{{ xs }}{% set _ = xs.reverse() %}{{ xs.append(5) }}{{ xs.copy() }}{% set _ = xs.clear() %}{{ xs }}",
    "{% set xs = [3,1,2] %}{% set _ = xs.sort() %}{{ xs }}{% set _ = xs.sort(reverse=true) %}{{ xs }}", "{% set d = {'a': 1} %}{% set _ = d.update({'b': 2}) %}{% set _ = d.update(c=3) %}{{ d }} {{ d.pop('a') }} {{ d.pop('zz', 'dflt') }} {{ d.setdefault('q', 9) }} {{ d.setdefault('b', 0) }} {{ d }} {{ d.popitem() }} {{ d.copy() }}{% set _ = d.clear() %}{{ d }}",
    "{{ {}.pop('a') }}", "{{ [].pop() }}", "{{ [1].remove(2) }}", "{{ {'a': 1}.fromkeys(['x', 'y'], 0) }} {{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict({'z': 1}, y=2) }}", "{{ order.items()|list }} {{ order.keys()|list }} {{ order.values()|list }} {{ order|list }} {{ order|length }}",
    "{% for k, v in order.items() %}{{ k }}={{ v }};{% endfor %}{% for k in order %}{{ k }},{% endfor %}", "{% for x in xs %}{% endfor %}", "{{ s.nope() }}", "{{ s.nope }}", "{{ n.bit_length() }} {{ one.is_integer() }} {{ n.real }}", "{{ 'a'.join }}",
    "{{ s.upper().lower().replace('h', 'J').split(' ')[0] }}", "{{ s['upper']() }}", "{{ s.split(' ')[-1][:-1] }}", "{{ choices.text[choices.label.index('B')] }}", "{{ ['a', 'b'].index(s[0]) if s[0] in 'ab' else -1 }}", "{{ 'abc'.find(none) }}", "{{ 'abc'.upper(1) }}", "{{ 'abc'.center() }}",
    "{% set xs = [1] %}{% for i in [1,2,3] %}{% set _ = xs.append(i * 2) %}{% endfor %}{{ xs }}", "{% set ns = namespace(a=1, xs=[]) %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% set ns.b = i %}{% set ns.xs = ns.xs + [i] %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns.xs }} {{ ns['a'] }}",
]

FILTERS = [
    "{{ s|upper }} {{ s|lower }} {{ s|title }} {{ s|capitalize }} {{ 'hello-world (foo) [bar] o\\'neil'|title }} {{ 5|upper }} {{ none|lower }} {{ 'ÉCOLE élan'|title }} {{ 'aBC dEF'|title }} {{ '<b>x{y'|title }}", "{{ s|length }} {{ opts|length }} {{ obj|count }} {{ u|length }} {{ range(4)|length }}", "{{ 5|length }}", "{{ none|length }}",
    "{{ s|wordcount }} {{ \"it's a_b c-d 1\"|wordcount }} {{ ''|wordcount }} {{ '東京 é'|wordcount }}", "{{ long|truncate(9) }}|{{ long|truncate(9, true) }}|{{ long|truncate(11, false, '...', 0) }}|{{ long|truncate(20, end='~') }}|{{ 'foo bar'|truncate(5) }}|{{ 'foobarbazquxquux'|truncate(5) }}|{{ long|truncate }}", "{{ s|truncate(2) }}",
    "{{ 'ab'|center(6) }}|{{ 'ab'|center }}|{{ 5|center(4) }}", "{{ html|striptags }}|{{ 'a<b'|striptags }}|{{ '<a><b>x  y</b>\\n z'|striptags }}|{{ 'x <!-- > --> y'|striptags }}|{{ '&lt;b&gt;'|striptags }}|{{ '&eacute;&hellip;&#x41;&unknown;'|striptags }}",
    "{{ long|wordwrap(10) }}|{{ 'abcdefghijkl'|wordwrap(5) }}|{{ 'abcdefghijkl mn'|wordwrap(5, false) }}|{{ long|wordwrap(15, wrapstring='/') }}|{{ 'well-known self-made thing'|wordwrap(12) }}|{{ 'well-known'|wordwrap(6, break_on_hyphens=false) }}|{{ 'a\\n\\nb c d'|wordwrap(3) }}|{{ '  lead and -- dash--em x'|wordwrap(8) }}|{{ 'one-two-three-four'|wordwrap(9) }}",
    "{{ '%s-%s'|format('a', 1) }} {{ '%(x)s'|format(x=5) }} {{ '%.2f'|format(3.14159) }} {{ 'x'|format }}", "{{ '%s'|format }}", "{{ 42.55|round }} {{ 42.55|round(1) }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(1, 'ceil') }} {{ 3|round }} {{ 2.5|round }} {{ 3.5|round }} {{ 0.5|round }} {{ 1234.5678|round(-2) }} {{ 1234|round(-2) }} {{ 42.55|round|int }} {{ 2.675|round(2) }} {{ 5|round(0, 'ceil') }} {{ 1e22|round }} {{ -2.5|round }} {{ 1250|round(-2) }} {{ 1350|round(-2) }}", "{{ 'a'|round }}", "{{ 1.5|round(1, 'up') }}",
    "{{ num_s|int }} {{ fl_s|int }} {{ bad|int }} {{ bad|int(-1) }} {{ '0x1A'|int(0, 16) }} {{ '1A'|int(0, 16) }} {{ '0b11'|int(0, 2) }} {{ 3.99|int }} {{ -3.99|int }} {{ none|int }} {{ [1]|int(5) }} {{ true|int }} {{ ' 7 '|int }} {{ '1_000'|int }} {{ '１２'|int }} {{ '+5'|int }} {{ '1e3'|int }} {{ ''|int }} {{ 'inf'|int }} {{ 'nan'|int }}",
    "{{ num_s|float }} {{ fl_s|float }} {{ bad|float }} {{ bad|float(1.5) }} {{ '1e3'|float }} {{ 3|float }} {{ none|float }} {{ '1_0.5'|float }} {{ '.5'|float }} {{ '5.'|float }} {{ 'Infinity'|float }} {{ true|float }} {{ bad|float('x') }}", "{{ 5|string + 'a' }} {{ [1]|string }} {{ none|string }} {{ 1.0|string }}",
    "{{ s|list }} {{ opts|list }} {{ order|list }} {{ range(3)|list }} {{ (1, 2)|list }} {{ ''|list }}", "{{ 5|list }}", "{{ nums|sum }} {{ ds|sum(attribute='v') }} {{ []|sum }} {{ nums|sum(start=10) }} {{ [0.1, 0.2]|sum }} {{ [[1], [2]]|sum(start=[]) }} {{ [true, 2]|sum }}", "{{ ['a']|sum }}",
    "{{ ds|map(attribute='t')|list }} {{ opts|map('upper')|list }} {{ ds|map(attribute='nope', default='d')|list }} {{ nested|map(attribute='0.0')|list }} {{ nums|map('string')|join('+') }} {{ ['a b', 'c']|map('replace', ' ', '_')|list }} {{ [1.6, 2.2]|map('round')|map('int')|list }} {{ ds|map('attr', 'x')|list|length }} {{ []|map('upper')|list }}", "{{ ds|map(attribute='nope')|list }}", "{{ ds|map }}", "{{ ds|map('nofilter')|list }}",
    "{{ nums|select('odd')|list }} {{ nums|reject('even')|list }} {{ nums|select('>', 2)|list }} {{ [0, 1, '', 'a', none]|select|list }} {{ [0, 1]|reject|list }} {{ nums|select('divisibleby', 5)|list }} {{ words|select('in', ['cat'])|list }} {{ mixed|select('string')|list }} {{ nums|select('equalto', 2)|list }}",
    "{{ ds|selectattr('l', 'equalto', 'A')|map(attribute='t')|list }} {{ ds|rejectattr('l', '==', 'A')|list }} {{ ds|selectattr('v')|list|length }} {{ ds|selectattr('v', 'gt', 1)|map(attribute='v')|join(',') }} {{ ds|selectattr('zz', 'defined')|list }}", "{{ ds|groupby('l') }} {% for g in ds|groupby('l') %}{{ g.grouper }}:{{ g.list|length }};{% endfor %}{% for k, xs in ds|groupby('l') %}{{ k }}{{ xs|map(attribute='t')|join }}{% endfor %} {{ ['a', 'B', 'A', 'b']|map('upper')|list|groupby(0)|list }}",
    "{{ ds|groupby('zz', default='none')|list|length }} {{ ds|groupby('l', case_sensitive=true)|map(attribute='grouper')|list }}", "{{ words|unique|list }} {{ words|unique(true)|list }} {{ ds|unique(attribute='l')|map(attribute='t')|list }} {{ [1, 1.0, true, '1']|unique|list }}", "{{ [[1], [1]]|unique|list }}",
    "{{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ nums|sort(reverse=true) }} {{ ds|sort(attribute='v')|map(attribute='t')|list }} {{ ds|sort(attribute='l,v')|map(attribute='t')|list }} {{ ds|sort(true, attribute='l')|map(attribute='t')|list }} {{ 'hello'|sort }} {{ order|sort }}", "{{ [1, 'a']|sort }}", "{{ [none, 1]|sort }}",
    "{{ nums|batch(2)|list }} {{ nums|batch(2, 'x')|list }} {{ nums|slice(2)|list }} {{ nums|slice(3, 'x')|list }} {{ []|batch(3)|list }} {{ [1]|slice(3)|list }}", "{{ nums|slice(0)|list }}", "{{ opts|join(', ') }} {{ nums|join }} {{ ds|join('-', attribute='t') }} {{ mixed|join('|') }} {{ 'abc'|join('.') }} {{ order|join(',') }} {{ opts|join(1) }}", "{{ 5|join }}",
    "{{ nums|first }} {{ nums|last }} {{ s|first }} {{ s|last }} {{ order|first }} {{ order|last }} {{ (nums|select('odd'))|first }}", "{{ []|first }}", "{{ []|last }}", "{{ []|first is defined }}", "{{ nums|map('string')|last }}", "{{ nums|min }} {{ nums|max }} {{ words|min }} {{ words|max }} {{ ds|max(attribute='v') }} {{ words|max(true) }}", "{{ []|min }}", "{{ nums|reverse|list }} {{ s|reverse }} {{ order|reverse|list }}",
    "{{ obj|xmlattr }}|{{ {'a': none, 'b': 'x<y', 'c': 1}|xmlattr(false) }}", "{{ {'a b': 1}|xmlattr }}", "{{ 100|filesizeformat }} {{ 1|filesizeformat }} {{ 1000|filesizeformat }} {{ 1000000|filesizeformat }} {{ 1234567890|filesizeformat(true) }} {{ 1024|filesizeformat(true) }} {{ '2500'|filesizeformat }} {{ 1e30|filesizeformat }}",
    "{{ nl|indent }}|{{ nl|indent(2, true) }}|{{ 'a\\n\\nb'|indent(2) }}|{{ 'a\\n\\nb'|indent(2, blank=true) }}|{{ 'a\\nb'|indent('> ') }}|{{ 'a\\nb\\n'|indent(1) }}|{{ ''|indent }}", "{{ path|urlencode }} {{ {'a b': 'c/d', 'e': 1}|urlencode }} {{ [('k', 'v w')]|urlencode }} {{ 5|urlencode }}", "{{ html|escape }} {{ html|e|e }} {{ 5|e }} {{ [html]|e }} {{ (html|e)|forceescape }} {{ html|safe|e }} {{ '\"'|e }}",
    "{{ ('<'|e) + '<' }} {{ '<' + ('<'|e) }} {{ ('<'|e) ~ '<' }} {{ '%s' % ('<'|e) }}", "{{ s|replace('o', '0') }} {{ s|replace('o', '0', 1) }} {{ 5|replace(5, 6) }} {{ 'aaa'|replace('', '-') }} {{ opts|replace('a', 'x') }}", "{{ nope|default('d') }} {{ none|default('d') }} {{ none|default('d', true) }} {{ ''|default('d', boolean=true) }} {{ nope|d }}| {{ obj.zz|default('d') }} {{ 0|default(5, true) }} {{ s|default('d') }}", "{{ nope.x|default('d') }}",
    "{{ obj|tojson }} {{ opts|tojson }} {{ order|tojson }} {{ mixed|tojson }} {{ html|tojson }} {{ u|tojson }} {{ nl|tojson }} {{ big|tojson }} {{ f|tojson }} {{ dq|tojson }} {{ (1, 2)|tojson }} {{ 'inf'|float|tojson }} {{ '\\U0001F600'|tojson }} {{ one|tojson }} {{ small|tojson }}", "{{ obj|tojson(2) }} {{ order|tojson(indent=4) }} {{ []|tojson(2) }} {{ {}|tojson(2) }} {{ [[]]|tojson(1) }} {{ [1]|tojson(0) }}", "{{ {1: 'a', 2: 'b'}|tojson }} {{ {true: 1}|tojson }} {{ {none: 1}|tojson }} {{ {1.5: 1}|tojson }}", "{{ {1: 'a', 'b': 2}|tojson }}", "{{ range(3)|tojson }}", "{{ nope|tojson }}",
    "{{ ctx|regex_replace('\\\\[.*?\\\\]', '') }} {{ s|regex_replace('o', '0') }} {{ s|regex_replace('(l+)', '<\\\\1>') }} {{ s|regex_replace('o', '0', 1) }} {{ s|regex_replace('(?P<x>W)', '\\\\g<x>\\\\g<0>') }} {{ 'abxd'|regex_replace('x*', '-') }} {{ 'a.b'|regex_replace('[.]', '\\\\n') }} {{ 'a b'|regex_replace('\\\\s+', '_') }} {{ s|regex_replace('^hello|\\\\.$', '') }} {{ 'aXbX'|regex_replace('(?i)x', '') }} {{ '[a]'|regex_replace('[][]', '') }} {{ 'é1'|regex_replace('\\\\w', 'w') }} {{ 'ab\\n'|regex_replace('b$', 'X') }} {{ 'aa'|regex_replace('(a)\\\\1', 'b') }} {{ 'foobar'|regex_replace('foo(?=bar)', '') }} {{ '{x}'|regex_replace('{x}', 'y') }}",
    "{{ s|regex_replace('(', '') }}", "{{ s|regex_replace('(o)', '\\\\2') }}", "{{ 5|regex_replace('a', 'b') }}", "{{ order|dictsort }} {{ order|dictsort(true) }} {{ {'b': 1, 'a': 2}|dictsort(by='value') }} {{ {'b': 1, 'a': 2}|dictsort(reverse=true) }} {% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}", "{{ order|dictsort(by='x') }}", "{{ order|items|list }} {% for k, v in order|items %}{{ k }}{% endfor %}", "{{ opts|items|list }}",
    "{{ sp|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 5|trim }}", "{{ -5|abs }} {{ (-2.5)|abs }} {{ true|abs }}", "{{ 'a'|abs }}", "{{ obj|attr('k') is defined }} {{ s|attr('upper') is callable }}", "{{ obj|pprint }} {{ s|pprint }} {{ order|pprint }} {{ [1, 'a']|pprint }}", "{{ ds|pprint }}", "{{ (long ~ ' ' ~ long)|pprint }}", "{{ [long, long]|pprint }}", "{{ s|nofilter }}", "{% if false %}{{ s|nofilter }}{% endif %}ok", "{{ s is notest }}",
]

TESTS = [
    "{{ 3 is odd }} {{ 3 is even }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ s is defined }} {{ nope is defined }} {{ nope is undefined }} {{ none is none }} {{ s is none }} {{ s is string }} {{ n is number }} {{ flag is number }} {{ n is integer }} {{ flag is integer }} {{ f is float }} {{ flag is boolean }} {{ flag is true }} {{ n is true }} {{ false is false }}",
    "{{ obj is mapping }} {{ opts is mapping }} {{ opts is sequence }} {{ s is sequence }} {{ obj is sequence }} {{ n is sequence }} {{ opts is iterable }} {{ n is iterable }} {{ s is iterable }} {{ none is iterable }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 1 is lower }} {{ s is callable }} {{ range is callable }} {{ 1 in [1] and 1 is in [1] }} {{ 'a' is in 'abc' }}",
    "{{ 1 is eq 1 }} {{ 1 is equalto 1.0 }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 2 is ge 2 }} {{ 1 is lt 2 }} {{ 1 is le 1 }} {{ 1 is lessthan 2 }} {{ 2 is greaterthan(1) }} {{ none is sameas none }} {{ flag is sameas true }} {{ 1 is sameas true }} {{ 'upper' is filter }} {{ 'zz' is filter }} {{ 'odd' is test }} {{ (html|e) is escaped }} {{ html is escaped }}",
    "{{ s is not none }} {{ not s is none }} {{ nope is not defined }} {{ n is not odd }} {{ s is string and n is odd }} {{ 'y' if s is defined else 'n' }}", "{{ 1 is odd is true }}", "{{ 'a' is odd }}", "{{ nope is odd }}", "{{ nope is none }} {{ nope is string }} {{ nope is mapping }} {{ nope is number }}", "{{ nope is iterable }}", "{{ nope is sequence }}", "{{ nope == 1 }}", "{{ nope }}", "{{ nope.x }}", "{{ obj.nope }}", "{{ obj.nope.x }}", "{{ not nope }}", "{% if nope %}a{% endif %}", "{% for x in nope %}{% endfor %}", "{{ nope|length }}", "{{ nope ~ 'a' }}", "{{ nope + 'a' }}", "{{ [nope] }}", "{{ nope or 'x' }}", "{{ nope|upper }}", "{{ nope in opts }}", "{{ 'a' in nope }}", "{{ s is defined and nope is defined }}", "{{ nope() }}", "{{ opts[5] }}", "{{ opts[5] is defined }}", "{{ none.x }}", "{{ none.x is defined }}", "{{ nope|list }}", "{{ nope|default(nope2) }}", "{{ nope|int }}", "{{ nope|join }}", "{{ nope|string }}", "{{ 1 if nope is defined else 2 }}", "{{ nope != 1 }}", "{{ {'a': nope} }}", "{{ '%s' % nope }}", "{{ nope < 1 }}", "{{ nope|first }}", "{{ dict(a=nope) }}", "{{ (1, nope)[0] }}",
]

STATEMENTS = [
    "{% for x in opts %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in e %}a{% else %}empty{% endfor %}", "{% for x in nums if x is odd %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}none{% endfor %}", "{% for x in nums if x > 100 %}{{ x }}{% else %}none{% endfor %}", "{% for x in nums %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }} {% endfor %}", "{% for x in nums %}{{ loop.cycle() }}{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}{% for (a, b) in [(1, 2)] %}{{ b }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ c }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for x in nested recursive %}[{% if x is string or x is number %}{{ x }}{% else %}{{ loop(x) }}{% endif %}{{ loop.depth }}]{% endfor %}", "{% for x in 'abc' %}{{ x }}-{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set (d, e2) = (3, 4) %}{{ d }}", "{% if flag %}{% set y = 5 %}{% endif %}{{ y }}", "{% if false %}{% set y = 5 %}{% endif %}{{ y }}", "{% set y %}block {{ s }}{% endset %}{{ y }} {{ y|length }}", "{% set y | upper | replace('O', '0') %}block {{ s }}{% endset %}{{ y }}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with %}{% set z = 3 %}{{ z }}{% endwith %}{{ z is defined }}", "{% set a = 9 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}",
    "{% if n == 1 %}a{% elif n == 3 %}b{% else %}c{% endif %}{% if not flag %}x{% else %}y{% endif %}{% if n > 1 and n < 5 %}z{% endif %}", "{% macro m(a, b=2, *c) %}{% endmacro %}", "{% macro m(a, b='d') %}<{{ a }}|{{ b }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=1, a=2) }}{{ m('x')|upper }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(x) %}{{ x }}{{ n }}{{ g }}{% endmacro %}{% set g = 7 %}{{ m(1) }}", "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro wrap() %}[{{ caller() }}]{% endmacro %}{% call wrap() %}in {{ s }}{% endcall %}", "{% macro wrap(xs) %}{% for x in xs %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(x, i) wrap(opts) %}{{ i }}={{ x }};{% endcall %}", "{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}abca{% endfilter %}", "{% raw %}{{ not }} {% if %}{% endraw %}", "a {#- comment -#} b {# c {{ x }} #} d", "{{ '{{' }} {{ '}}' }} {{ '{%' }}", "  {%- if flag -%}  a  {%- endif -%}  b", "a\n{% if flag %}\nb\n{% endif %}\nc\n", "a \n {{- s -}} \n b", "{%+ if flag +%} x {%+ endif +%}", "x\n\n", "x\r\ny\rz\n", "{{ s }}\n", "\n{{ s }}", "{%- set a = 1 -%}\n\n {{ a }}", "{% raw -%}  x  {%- endraw %}", "{#- a -#}x", "a{# b #}\nc",
    "{% set cyc = cycler('a', 'b', 'c') %}{{ cyc.next() }}{{ cyc.next() }}{{ cyc.current }}{{ cyc.next() }}{{ cyc.next() }}{% set _ = cyc.reset() %}{{ cyc.current }}", "{% set j = joiner('|') %}{% for x in nums %}{{ j() }}{{ x }}{% endfor %}", "{% block a %}x{{ s }}{% endblock %}y{% block b %}{% endblock b %}", "{% autoescape false %}{{ html }}{% endautoescape %}", "{% print 1 %}{% print 1, 2 %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% if false %}{% include 'x' %}{% endif %}ok", "{% for x in nums %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% do 1 %}", "{% trans %}x{% endtrans %}", "{% if %}{% endif %}", "{% for %}", "{{ }}", "{{ 1 +}}", "{{ (1 }}", "{{ 1) }}", "{% endif %}", "{% if true %}", "{% if true %}{% endfor %}", "{{ 'a }}", "{{ a b }}", "{# open", "{% raw %} open", "{{ $ }}", "{{ x = 1 }}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{% set x.y = 1 %}", "{{ f(a=1, 2) }}", "{{ f(*[1], *[2]) }}", "{% macro %}{% endmacro %}",
    "{%- for key in order -%}{{ key }}{%- if not loop.last -%}, {%- endif -%}{%- endfor -%}", "{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}", "{% set ns = namespace() %}{% set ns.x = 1 %}{{ ns.x }} {{ ns.y is defined }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{{ namespace(a=1) }}", "{% set x = s if flag else q %}{{ x }}", "{%set x=1%}{{x}}{%set   y   =   2%}{{y}}", "{% set x = [1,2,] %}{{ x }}{{ {'a':1,} }}{{ (1,2,) }}{{ dict(a=1,) }}", "{{ s\n|upper\n}}", "{{ [\n1,\n2\n] }}", "{% for x in [1,2,3] -%}\n  {{ x }}\n{%- endfor %}", "{{ loop }}", "{% for x in [1] %}{{ loop }}{% endfor %}", "{% if opts %}{{ opts[0] }}{% endif %}{% if e %}no{% endif %}", "{% for k, v in obj.items() %}{{ loop.index }}. {{ k }}: {{ v }}\n{% endfor %}", "{{ '\\n'.join(opts) }}", "{% set letters = ['A','B','C','D'] %}{% for c in choices.text %}{{ letters[loop.index0] }}. {{ c }}\n{% endfor %}Answer:", "{% set x %}{% for i in [1,2] %}{{ i }}{% endfor %}{% endset %}{{ x }}", "{% for x in nums|sort %}{{ x }}{% endfor %}", "{% for x in nums[:2] + [9] %}{{ x }}{% endfor %}", "{% for x in ds|selectattr('v', '>', 1) %}{{ loop.index }}/{{ loop.length }}{{ x.t }}{% endfor %}", "{{ caller() }}", "{% set x = 1 %}{% macro m() %}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% set xs = [] %}{% for x in nums %}{% if x not in xs %}{{ xs.append(x) or '' }}{% endif %}{% endfor %}{{ xs }}", "{{ range(5)|map('string')|join }}", "{{ range(1, 0) |list }}{{ range(5, 0, -2)|list }}", "{{ range(1, 2, 0) }}", "{{ range('a') }}", "{{ range() }}",
]

TASK = [(template, ROW) for template in PRINT + OPERATORS + SLICES + METHODS + FILTERS + TESTS + STATEMENTS]

MESSAGES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi <you> & 'me' \"x\" é東😀"},
        {"role": "assistant", "content": "Hello!\n", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"z": 1, "a": [1.5, None, True]}}}]},
        {"role": "user", "content": " Bye "},
    ],
    "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None,
}
TOOLS = {**MESSAGES, "tools": [{"type": "function", "function": {"name": "get_weather", "description": "Get <it>", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]}

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message + builtin tools #}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{{- bos_token }}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("roles must alternate") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {%- generation %}
        {{- " " + message["content"]|trim + eos_token}}
        {%- endgeneration %}
    {%- endif %}
{%- endfor %}
"""
QWEN3 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

CHAT = [(template, MESSAGES) for template in [
    CHATML, LLAMA3, MISTRAL, QWEN3,
    "{% for m in messages %}\n    {{ '<|im_start|>' + m['role'] + '\\n' + m['content'].strip() }}\n{% endfor %}\n{%- if add_generation_prompt %}\n[go]\n{%- endif %}\n",
    "{{ messages | tojson }}", "{{ messages | tojson(indent=2) }}", "{{ messages[2].tool_calls | tojson(ensure_ascii=true, separators=(',', ':'), sort_keys=true) }}", "{{ messages[0]|tojson(separators=(';', '=')) }}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n  {# d #}\ne\n  {{ 1 }}\n", "  {%+ if true %} x{% endif %}\n\ny", "x {% if true %}\n\n\ny{% endif +%}\nz", "{% raw %}\n {{ a }}\n{% endraw %}\nb", "\n\n{% if true %}a{% endif %}\n\n", "{{ 'x' }}\n\n", "   {# c #}   \nx", "\t{% set a = 1 %}\n{{ a }}",
    "{{ nope }}|{{ nope is defined }}|{% if nope %}a{% else %}b{% endif %}|{% for x in nope %}a{% endfor %}|{{ nope|length }}|{{ not nope }}|{{ nope ~ 'a' }}|{{ nope|list }}|{{ [nope] }}|{{ nope == nope2 }}|{{ nope == 1 }}|{{ nope or 'x' }}|{{ nope|upper }}|{{ nope in [1] }}|{{ messages[0].zz }}|{{ messages[9] }}", "{{ nope.x }}", "{{ nope + 'a' }}", "{{ nope['x'] }}", "{{ nope() }}", "{{ nope < 1 }}", "{{ messages[0].zz.y }}", "{{ 'a' in nope }}", "{{ nope|int }}", "{{ nope|tojson }}", "{{ nope|string }}{{ nope|join }}{{ nope|default('d') }}{{ nope|first }}{{ nope|sum }}", "{{ nope.get('x') }}", "{{ -nope }}", "{{ nope|float }}", "{{ '%s' % nope }}", "{{ nope is iterable }}{{ nope is sequence }}{{ nope is string }}{{ nope is mapping }}{{ nope is none }}", "{{ 'y' if false }}|", "{{ nope|trim }}|{{ nope|replace('a', 'b') }}", "{{ dict(a=nope) }}",
    "{% set xs = [] %}{{ xs.append(1) }}", "{% set d = {} %}{{ d.update(a=1) }}", "{{ messages.append }}", "{{ ''.__class__ }}", "{{ ''.__class__ is defined }}", "{{ {}.pop('a') }}", "{{ messages.index(messages[1]) }}{{ messages.count(1) }}", "{{ {'a': 1}.get('a') }}{{ {'a': 1}.items() }}{{ dict(a=1).fromkeys(['b']) }}",
    "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = ns.x + 1 %}{% if ns.x > 2 %}{% break %}{% endif %}{% if ns.x == 1 %}{% continue %}{% endif %}{{ m.role }}{% endfor %}{{ ns.x }}", "{% set ns = namespace(_x=0) %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{{ raise_exception('no') }}", "{% generation %}a{% endgeneration %}b", "{%- generation -%} a {%- endgeneration -%} b", "{% for x in range(3) %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{{ messages[1].content.rsplit(' ', 1) }}", "{{ messages|map(attribute='role')|join(',') }}", "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }}", "{{ messages[::-1][0].content }}", "{{ messages|length % 2 == 0 }}", "{{ (messages|last).role }}{{ messages[-1]['content']|trim }}", "{{ messages[2]['tool_calls'][0].function.arguments.items()|list }}", "{% for k, v in messages[2].tool_calls[0].function.arguments|items %}{{ k }}={{ v|tojson if v is not string else v }};{% endfor %}", "{{ '' if messages[0]['content'] is string else 'x' }}", "{{ messages[1].content|e }}", "{{ bos_token ~ eos_token }}{{ pad_token }}", "{{ range(100001) }}", "{{ range(100000)|length }}", "{% macro render(m) %}{{ m.role }}: {{ m.content|trim }}\n{% endmacro %}{% for m in messages %}{{ render(m) }}{% endfor %}", "{%- macro a() -%}\n  x\n{%- endmacro -%}\n[{{ a() }}]", "{{ '{}'.format(messages[0].role) }}{{ '{0.role}'.format(messages[0]) }}", "{% set content = messages[0].content %}{% set content = content + '!' %}{{ content }}", "{% if messages[0].content is not none and messages[0].content is string %}ok{% endif %}", "{{- '' -}}\n\n x", "{% set x = messages | rejectattr('role', 'equalto', 'system') | list %}{{ x|length }}",
]] + [(template, TOOLS) for template in [LLAMA3.replace("tools_in_user_message = true", "tools_in_user_message = false"), QWEN3, "{{ tools|tojson }}", "{{ tools|tojson(indent=4) }}", "{% for t in tools %}{{ t.function.name }}: {{ t.function.parameters.properties.keys()|list }}{% endfor %}"]]

LITERALS = [
    "['a', 'b']", "[\"it's\", 'b']", "[1, 2.5, None, True, False]", "{'a': 1, 'b': [2]}", "(1, 2)", "1, 2", "()", "(1,)", "(1)", "[]", "{}", "'a' 'b'", "'a\\nb'", "r'a\\nb'", "u'x'", "'''a\nb'''", "\"\\u00e9\\x41\\101\"", "-1", "+1", "1e5", "0x10", "1_000", "007", "0", "00", ".5", "5.", "abc", "[a]", "", "  [1]", "[1]  ", " 'x'", "[1, 2", "1 + 2", "'a", "[1,,2]", "[1 2]", "# c\n1", "[1, # c\n2]", "'\\d'", "['a\\'b', \"c\\\"d\"]", "['é', '東']", "None", "true", "[['a'], ['b']]", "[(1, 'x'), (2, 'y')]", "'a\nb'", "\"a\" 'b'", "['A', 'B'] x", "1.5.2", "- -1", "['x',]", "{'a': 1,}", "(1, 2,)", "f'x'", "1e400", "-'a'",
]
