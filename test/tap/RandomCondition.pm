# Random conditions over values that are hard to compare.
#
#	RandomCondition::seed($number);
#	my $condition = RandomCondition::make();
#	$condition->{text};     # "name ILIKE 'kel%' AND NOT uk"
#	$condition->{types};    # of $1, $2 ... in it: "text, integer"; "": there are none
#	$condition->{values};   # and what they are: "'x', 7"
#	my $object = RandomCondition::object();	# property => value, for the simulator
#
# The columns are those of @columns; the same seed gives the same conditions.
package RandomCondition;

use strict;
use warnings;
use utf8;

# Texts: quotes, wildcards, blanks, letters whose case or accents two systems may
# fold differently, what looks like markup, an URL, a literal or a null.
my @texts = (
	'', ' ', '   ', 'x', 'X', 'x ', ' x', 'null', 'NULL', 'true', "O'Neil", "o'NEIL ", "''", "'",
	'100%', '100%_ Wool', '100x_ wool', '%', '_', '%%', '[', ']', '[a-z]', '[x]%', '^', '\\', 'a\\b', '\\\\', '\\%',
	'"', '&lt;b&gt;', '<b>', 'a+b&c=d#e?f', '%41%20', 'guid\'x\'', '/Date(0)/', '$1', '{0}', '-- x', 'a;b',
	'kelvin', "\x{212A}elvin", 'KELVIN', 'istanbul', "\x{130}stanbul", 'ISTANBUL', "\x{131}stanbul", "i\x{307}stanbul",
	'Straße', 'STRASSE', 'strasse', "Stra\x{1E9E}e", 'Café', "Cafe\x{301}", 'CAFÉ', 'cafe', "\x{212B}ngstrom",
	'Ångstrom', 'ångstrom',
	"\x{17F}ix", 'six', 'SIX', 'ΟΔΟΣ', 'οδος', 'οδοσ', "\x{1C4}", "\x{1C5}", "\x{FB01}n", 'fin',
	"\x{1F680} Ltd", "\x{1F680}",
	"\x{1F469}\x{200D}\x{1F52C}", "\x{10400}", "\x{10428}", '東京', "\x{FF21}BC", 'ABC', "x\x{A0}", "x\x{200B}",
	"\x{CC}", "\x{EC}",
	"two\nlines", "a\ttab", "line\n", 'y' x 40, 'Ware', 'Wool', 'wool ', 'Wool   ', 'NFC é', "NFC e\x{301}", "\x{202E}x",
);
my @numbers = (0, 1, -1, 7, 8, 10, 1990, 2147483647, -2147483648, 32767, 32768, 100);
my @far_numbers = (5000000000, -5000000000, '9223372036854775807', '(-9223372036854775808)', 40000, '7.5',
	'7.0', '7.00000000000001', '1e3');
my @amounts = (0, '0.0001', '-0.0001', '0.01', '0.02', '1.5', '1.50', '-1234.56', '9999999',
	'922337203685477.5807', '-922337203685477.5808', '7');
my @far_amounts = ('0.00005', '0.00001', '1.500001', '123456789012345678901234567890', "'NaN'", "'Infinity'",
	"'-Infinity'", '922337203685477.58071', '1e20');
my @rates = (1, '1.0000000001', '0.0000000001', '-0.0000000001', '12345678901.0123456789', '0.3333333333', 0,
	'99999999999.9999999999');
my @far_rates = ('1.00000000001', '0.33333333333', '1.00000000005', "'NaN'", '1e-15', '99999999999.99999999999');
my @dates = ('1753-01-02', '1899-12-31T12:30:15', '1950-06-01', '1969-12-31T23:59:59', '1970-01-01',
	'2000-02-29T12:00:00', '2012-05-05T05:05:05',
	'2012-05-05T05:05:06', '2016-12-31T23:59:59', '2038-01-19T03:14:08', '9999-12-30');
my @far_dates = ('infinity', '-infinity', '1700-01-01', '0044-03-15 BC', '12000-01-01', '1753-01-01',
	'9999-12-31 23:59:59.999');
my @fractions = ('', '', '.5', '.000001', '.999999', '.25');
my @options = (1, 2, 3, 14, 33);
my @countries = map { sprintf 'c0f70000-0000-4000-8000-%012d', $_ } 1 .. 4;
my @keys = map { sprintf 'eeeeeeee-0000-4000-8000-%012d', $_ } 1 .. 60;

# What a column is compared as: how to make an atom of it.
my @columns = (
	[ \&text_atom, 'name', 'Name' ], [ \&text_atom, 'alias', 'optevia_Alias' ], [ \&text_atom, 'number', 'AccountNumber' ],
	[ \&text_atom, 'name', 'Name' ],
	[ \&number_atom, 'employees', 'NumberOfEmployees' ], [ \&number_atom, 'industry', 'IndustryCode' ],
	[ \&amount_atom, 'revenue', 'Revenue' ], [ \&amount_atom, 'credit', 'CreditLimit' ],
	[ \&amount_atom, 'rate', 'ExchangeRate' ],
	[ \&date_atom, 'verified', 'optevia_LastVerified' ], [ \&date_atom, 'opened', 'OpenDeals_Date' ],
	[ \&boolean_atom, 'uk', 'optevia_ukorganisation' ], [ \&boolean_atom, 'on_hold', 'CreditOnHold' ],
	[ \&uuid_atom, 'country', 'optevia_Country' ], [ \&uuid_atom, 'id', 'AccountId' ],
);
my @collations = ('"C"', '"en-x-icu"', '"tr-x-icu"', '"und-x-icu"', '"default"', 'property.no_case');

# While a condition is made: the types and values of its parameters, undef where
# it has none.
my $parameters;

sub seed { srand(shift); return }

sub one { return $_[int rand @_] }

sub chance { return rand() < shift }

sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# A constant, in one of the forms that the planner may meet.
sub constant
{
	my ($type, $sql) = @_;

	$sql = 'NULL' if chance(0.02);
	if ($parameters && chance(0.7))
	{
		push @$parameters, [ $type, $sql ];
		return '$' . scalar @$parameters;
	}
	return "property.same(${sql}::$type)" if chance(0.06);
	return "${sql}::$type" if $sql eq 'NULL' || chance(0.3);
	return $sql;
}

# A list in parentheses, or an array: with nulls and duplicates.
sub several
{
	my ($make) = @_;
	my @all = map { $make->() } 1 .. 1 + int rand(chance(0.05) ? 30 : 4);

	push @all, 'NULL' if chance(0.2);
	push @all, $all[0] if chance(0.3);
	return join ', ', @all;
}

# ---------------------------------------------------------------------- texts

sub text
{
	my $text = one(@texts);

	return $text if chance(0.6);
	return one(uc $text, lc $text, "$text ", " $text", $text . one(@texts),
		substr($text, 0, int(length($text) / 2)), substr($text, int rand(1 + length $text), 5));
}

# A text as a pattern: parts replaced by wildcards, wildcards escaped or not.
sub pattern
{
	my ($escape) = @_;
	my $text = text();
	my $pattern = '';

	foreach my $char (split //, $text)
	{
		my $special = $char =~ /[%_]/ || $char eq $escape;

		if (chance(0.1)) { $pattern .= one('_', '%', '') }
		elsif ($escape ne '' && ($special ? chance(0.7) : chance(0.03))) { $pattern .= "$escape$char" }
		elsif ($char ne $escape) { $pattern .= $char }
	}
	$pattern = "%$pattern" if chance(0.3);
	$pattern .= one('%', '%', '_', '%  ', ' %') if chance(0.6);
	return $pattern;
}

sub match
{
	my ($column) = @_;
	my $escape = chance(0.8) ? '\\' : one('#', '!', '');
	my $word = one('LIKE', 'LIKE', 'ILIKE', 'ILIKE', 'NOT LIKE', 'NOT ILIKE');
	my $collate = chance(0.15) ? ' COLLATE ' . one(@collations[0 .. 4]) : '';

	return "$column ^@ " . constant('text', quoted(text())) if chance(0.12);
	return "$column$collate $word " . constant('text', quoted(pattern($escape))) if $escape eq '\\';
	return "$column$collate $word " . quoted(pattern($escape)) . " ESCAPE '$escape'";
}

sub text_constant { return constant('text', quoted(text())) }

sub text_range
{
	my ($column) = @_;
	my $collate = chance(0.5) ? ' COLLATE ' . one(@collations[0 .. 4]) : '';
	my ($low, $high) = (text(), text());

	return "$column ~>=~ " . quoted($low) . " AND $column ~<~ " . quoted($high) if chance(0.2);
	return "$column$collate BETWEEN " . one('', 'SYMMETRIC ') . quoted($low) . ' AND ' . quoted($high) if chance(0.4);
	return "$column$collate >= " . quoted($low) . " AND $column$collate < " . quoted($high);
}

sub text_atom
{
	my ($column) = @_;
	my $constant = text_constant();
	my $operator = one('=', '=', '=', '<>', '<', '<=', '>', '>=');

	return match($column) if chance(0.45);
	return text_range($column) if chance(0.1);
	return general_atom($column, \&text_constant, 'text') if chance(0.4);
	return one(
		"$column $operator $constant", "$constant $operator $column",
		"$column COLLATE " . one(@collations) . " $operator $constant",
		"$column\::varchar(3) $operator $constant", "$column\::bpchar $operator " . quoted(text()) . '::bpchar',
		"$column = " . quoted(text()) . '::varchar',
		"lower($column) = lower($constant)", "coalesce($column, 'x') = $constant", "$column || '' = $constant",
		"length($column) > " . int rand 8,
		"$column = alias", "$column\::name = " . quoted(text()) . '::name',
		"$column LIKE ANY (ARRAY[" . quoted(pattern('\\')) . ", '%x%'])",
		"starts_with($column, $constant)", "nullif($column, $constant) IS NULL");
}

# -------------------------------------------------------------- the other types

# What can be said of a column of any type.
sub general_atom
{
	my ($column, $make, $type) = @_;
	my $list = several($make);

	return one(
		"$column IN ($list)", "$column IN ($list)", "$column NOT IN ($list)",
		"$column = ANY (ARRAY[$list]::$type\[])", "$column <> ALL (ARRAY[$list]::$type\[])",
		"$column = ALL (ARRAY[$list]::$type\[])", "$column <> ANY (ARRAY[$list]::$type\[])", "$column IS NULL",
		"$column IS NOT NULL",
		"$column IS DISTINCT FROM " . $make->(), "$column IS NOT DISTINCT FROM " . $make->(),
		"$column = ANY ('{}'::$type\[])",
		"coalesce($column, " . $make->() . ') = ' . $make->());
}

sub ordered_atom
{
	my ($column, $make, $type) = @_;
	my $operator = one('=', '<>', '<', '<=', '>', '>=');

	return general_atom($column, $make, $type) if chance(0.3);
	return "$column BETWEEN " . one('', 'SYMMETRIC ') . $make->() . ' AND ' . $make->() if chance(0.2);
	return chance(0.7) ? "$column $operator " . $make->() : $make->() . " $operator $column";
}

sub number_atom
{
	my ($column) = @_;

	return "$column = $numbers[3]::smallint" if chance(0.03);
	return "$column * 1 > " . one(@numbers) if chance(0.03);
	return "$column = " . one(@numbers[0 .. 5]) . ' + ' . one(@numbers[0 .. 5]) if chance(0.05);
	return ordered_atom($column, sub { one(@far_numbers) }, 'numeric') if chance(0.2);
	return ordered_atom($column, sub { constant('bigint', '(' . one(@numbers) . ')') }, 'bigint') if chance(0.2);
	my @all = $column eq 'industry' ? @options : @numbers;
	return ordered_atom($column, sub { constant('integer', '(' . one(@all) . ')') }, 'integer');
}

sub amount_atom
{
	my ($column) = @_;
	my ($near, $far) = $column eq 'rate' ? (\@rates, \@far_rates) : (\@amounts, \@far_amounts);

	return "$column = " . one(@numbers) if chance(0.05);
	return "$column > " . one(@$near) . '::float8' if chance(0.05);
	return ordered_atom($column, sub { constant('numeric', one(@$far)) . '::numeric' }, 'numeric') if chance(0.25);
	return ordered_atom($column, sub { constant('numeric', '(' . one(@$near) . ')') }, 'numeric');
}

sub date_constant
{
	my $date = one(@dates);

	$date .= one(@fractions) . one('', 'Z', '+01', '-05:30') if $date =~ /T/;
	$date = one(@far_dates) if chance(0.15);
	return constant('timestamptz', quoted($date) . '::timestamptz');
}

sub date_atom
{
	my ($column) = @_;
	my $day = quoted(one(@dates[1 .. 9]));

	return ordered_atom($column, \&date_constant, 'timestamptz') if chance(0.85);
	return one("$column > $day\::date", "$column <= $day\::timestamp", "$column\::date = $day\::date", "$column < now()",
		"$column >= $day\::timestamptz + interval '0.5 s'", "extract(year FROM $column) = 2012",
		"date_trunc('second', $column) = $day",
		"$column AT TIME ZONE 'Europe/London' > $day");
}

sub boolean_atom
{
	my ($column) = @_;
	my $make = sub { constant('boolean', one('true', 'false')) };

	return general_atom($column, $make, 'boolean') if chance(0.2);
	return one(
		$column, "NOT $column", "$column IS TRUE", "$column IS NOT TRUE", "$column IS FALSE",
		"$column IS NOT FALSE", "$column IS UNKNOWN",
		"$column IS NOT UNKNOWN", "$column = " . $make->(), $make->() . " = $column", "$column <> " . $make->(),
		"$column < " . $make->(), "uk = on_hold");
}

sub uuid_atom
{
	my ($column) = @_;
	my $make = sub { constant('uuid', quoted(one($column eq 'id' ? @keys : @countries)) . '::uuid') };

	return general_atom($column, $make, 'uuid') if chance(0.4);
	return "$column\::text LIKE '%1'" if chance(0.05);
	return chance(0.8) ? "$column " . one('=', '=', '=', '<>', '<', '>=') . ' ' . $make->() : $make->() . " = $column";
}

# -------------------------------------------------------------------- conditions

sub atom
{
	my $column = one(@columns);
	return $column->[0]->($column->[1]);
}

sub combination
{
	my ($depth) = @_;
	my $what = rand;

	return atom() if $depth == 0 || $what < 0.35;
	return 'NOT (' . combination($depth - 1) . ')' if $what < 0.45;
	return '((' . combination($depth - 1) . ') IS ' . one('TRUE', 'NOT TRUE', 'FALSE', 'UNKNOWN') . ')' if $what < 0.49;
	return 'CASE WHEN ' . combination($depth - 1) . ' THEN ' . combination($depth - 1) . ' END' if $what < 0.51;
	return '(' . join($what < 0.78 ? ') AND (' : ') OR (', map { combination($depth - 1) } 1 .. 2 + int rand 2) . ')';
}

sub make
{
	$parameters = chance(0.15) ? [] : undef;
	my $text = combination(chance(0.5) ? 0 : 1 + int rand 3);
	my @all = $parameters ? @$parameters : ();

	$parameters = undef;
	return {
		text => $text,
		types => join(', ', map { $_->[0] } @all),
		values => join(', ', map { $_->[1] } @all)
	};
}

# The values of an object, as the simulator's control takes them.
sub object
{
	my %object = (
		Name => text(), optevia_Alias => text(), AccountNumber => substr(text(), 0, 20),
		NumberOfEmployees => one(@numbers), IndustryCode => one(@options),
		Revenue => '' . one(@amounts), CreditLimit => '' . one(@amounts[0 .. 7]),
		ExchangeRate => '' . one(@rates), optevia_LastVerified => one(@dates), OpenDeals_Date => one(@dates),
		optevia_ukorganisation => one(\1, \0), CreditOnHold => one(\1, \0),
		optevia_Country => { Id => one(@countries), LogicalName => 'optevia_country' });

	for my $property (grep { $_ ne 'Name' || chance(0.5) } sort keys %object)
	{
		$object{$property} = undef if chance(0.12);
	}
	$object{$_} .= length $object{$_} > 10 ? 'Z' : 'T00:00:00Z' for grep { defined $object{$_} } qw(optevia_LastVerified OpenDeals_Date);
	$object{NumberOfEmployees} += 0 if defined $object{NumberOfEmployees};
	return \%object;
}

1;
