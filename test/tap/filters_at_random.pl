# Filters never change an answer: random conditions over hard values.
#
# Each condition is read from a plain copy of the data, from a pass-through table
# and from a synchronised table that is not complete and holds most of the
# objects, some of them as they were before they were edited; from either with
# crm_sync.pushdown on and off.  All five answers are the same, though CDMS has
# other habits from batch to batch; and of what could be asked, much was.
#
# CRM_SEED=n repeats the conditions of another run.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use RandomCondition;
use HTTP::Tiny;
use JSON::PP;
use Test::More;

use constant OBJECTS => 60;
use constant HELD => 54;
use constant BATCH => 250;

my $batches = $ENV{CRM_LONG} ? 80 : CrmTest::SLOWER > 1 ? 4 : 8;
my $seed = $ENV{CRM_SEED} || ($ENV{CRM_LONG} ? time : 2011);
my $node = CrmTest::node('filters_at_random', 'jit = off', 'checkpoint_timeout = 1h', 'autovacuum = off');
my $json = JSON::PP->new->allow_nonref->canonical->allow_bignum;
my $http = HTTP::Tiny->new;
my $port;

note("CRM_SEED=$seed");
RandomCondition::seed($seed);

sub sql
{
	my ($sql) = @_;
	my $answer;

	utf8::encode($sql) if utf8::is_utf8($sql);
	$answer = $node->safe_psql('postgres', $sql);
	utf8::decode($answer);
	return $answer;
}

sub control
{
	my $answer = $http->post("http://127.0.0.1:$port/_control/",
		{ content => JSON::PP->new->utf8->encode({ words => [@_] }) });
	my $said = JSON::PP->new->utf8->decode($answer->{content});

	die "@_: $said->{error}" if $said->{error};
	return @{ $said->{lines} };
}

# A text as SQL, in dollars.
sub dollars
{
	return '$c$' . shift() . '$c$';
}

# ------------------------------------------------------------------------ data

sub create_tables
{
	sql(q{
		SELECT cdms.stop();
		SELECT cdms.start('--accounts', '31', '--contacts', '11');
		SELECT cdms.create_server();
		CREATE SCHEMA direct;
		CREATE SCHEMA synced;
		CREATE SCHEMA plain;
		CREATE SCHEMA property;
		CREATE FOREIGN TABLE direct.org (
			id        uuid OPTIONS (property 'AccountId') NOT NULL,
			name      text OPTIONS (property 'Name'),
			alias     text OPTIONS (property 'optevia_Alias'),
			number    varchar(40) OPTIONS (property 'AccountNumber'),
			uk        boolean OPTIONS (property 'optevia_ukorganisation'),
			on_hold   boolean OPTIONS (property 'CreditOnHold'),
			country   uuid OPTIONS (property 'optevia_Country', type 'EntityReference'),
			employees integer OPTIONS (property 'NumberOfEmployees'),
			industry  integer OPTIONS (property 'IndustryCode', type 'OptionSetValue'),
			revenue   numeric OPTIONS (property 'Revenue', type 'Money'),
			credit    numeric(15,2) OPTIONS (property 'CreditLimit', type 'Money'),
			rate      numeric OPTIONS (property 'ExchangeRate'),
			verified  timestamptz OPTIONS (property 'optevia_LastVerified'),
			opened    timestamptz(0) OPTIONS (property 'OpenDeals_Date')
		) SERVER cdms OPTIONS (entity 'Account');
		IMPORT FOREIGN SCHEMA cdms LIMIT TO (optevia_country) FROM SERVER cdms INTO direct;
		DO $$ BEGIN
			EXECUTE (SELECT format('CREATE FOREIGN TABLE synced.org (%s) SERVER cdms OPTIONS (entity ''Account'')',
				string_agg(format('%I %s OPTIONS (%s)', attname, format_type(atttypid, atttypmod),
					(SELECT string_agg(format('%I %L', option_name, option_value), ', ') FROM pg_options_to_table(attfdwoptions))), ', ' ORDER BY attnum))
				FROM pg_attribute WHERE attrelid = 'direct.org'::regclass AND attnum > 0);
		END $$;
		SELECT crm_sync.create_store('synced.org');
		CREATE INDEX ON synced.org_store (name);
		CREATE INDEX ON synced.org_store (name text_pattern_ops);
		CREATE INDEX ON synced.org_store (name COLLATE "en-x-icu");
		CREATE COLLATION property.no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE FUNCTION property.same(anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END';
	});
	$port = sql('SELECT port FROM cdms.simulator');
	return;
}

sub key
{
	return sprintf 'eeeeeeee-0000-4000-8000-%012d', shift;
}

# Most of the objects get into the store; then some are edited.
sub create_data
{
	control('create', 'Account', key($_), $json->encode(RandomCondition::object())) for 1 .. OBJECTS;
	sql('SELECT FROM synced.org WHERE id IN (' . join(', ', map { "'" . key($_) . "'" } 1 .. HELD)
		. ") OR id::text LIKE 'a%'");
	control('edit', 'Account', key($_ * 6), $json->encode(RandomCondition::object())) for 1 .. HELD / 6;
	sql('SET crm_sync.pushdown = off; CREATE TABLE plain.org AS TABLE direct.org; ANALYZE synced.org_store');
	return;
}

# --------------------------------------------------------------------- questions

sub create_functions
{
	sql(q{
		CREATE TABLE property.condition (n integer PRIMARY KEY, batch integer, condition text, other text, types text, "values" text, plain text);

		-- A table scanned twice by one statement is asked for once, by both conditions.
		CREATE FUNCTION property.query(tab text, c property.condition) RETURNS text LANGUAGE sql AS $$
			SELECT format(CASE WHEN c.other = '' THEN 'SELECT id FROM %1$s.org AS org WHERE %2$s'
			                   WHEN c.n % 2 = 0 THEN 'SELECT id FROM %1$s.org AS org WHERE %2$s UNION ALL SELECT id FROM %1$s.org AS org WHERE %3$s'
			                   ELSE 'SELECT id FROM %1$s.org AS org WHERE (%2$s) OR id IN (SELECT id FROM %1$s.org AS org WHERE %3$s)' END,
			              tab, c.condition, c.other)
		$$;

		CREATE FUNCTION property.run(tab text, c property.condition) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			query text := format('SELECT string_agg(right(id::text, 3), '' '' ORDER BY id) FROM (%s) AS a', property.query(tab, c));
			answer text;
		BEGIN
			IF c.types = '' THEN
				EXECUTE query INTO answer;
			ELSE
				EXECUTE format('PREPARE property_query (%s) AS %s', c.types, query);
				EXECUTE format('EXECUTE property_query (%s)', c.values) INTO answer;
			END IF;
			RAISE EXCEPTION USING ERRCODE = 'ZZ000';
		EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
			RETURN coalesce(answer, 'none');
		WHEN OTHERS THEN
			RETURN 'ERROR ' || SQLSTATE || ' ' || SQLERRM;
		END $$;

		-- Prepared statements outlive what is rolled back.
		CREATE FUNCTION property.answer(tab text, c property.condition) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			answer text := property.run(tab, c);
		BEGIN
			DEALLOCATE ALL;
			RETURN answer;
		END $$;
	});
	return;
}

sub load_batch
{
	my ($batch, @conditions) = @_;
	my $n = $batch * BATCH;

	$conditions[$_]{other} = $conditions[ $_ - 1 ]{types} eq '' ? $conditions[ $_ - 1 ]{text} : '' for grep { $_ % 10 > 7 } 0 .. $#conditions;
	sql('INSERT INTO property.condition VALUES ' . join ', ', map {
		'(' . join(', ', ++$n, $batch, map { dollars($_) } $_->{text}, $_->{other} || '', $_->{types}, $_->{values}) . ')' } @conditions);
	sql("UPDATE property.condition AS c SET plain = property.answer('plain', c) WHERE batch = $batch");
	return;
}

# Conditions of the batch whose answer is another.
sub different
{
	my ($batch, $table, $pushdown) = @_;

	return sql(qq{
		SET crm_sync.pushdown = $pushdown;
		SET plan_cache_mode = force_generic_plan;
		SET enable_seqscan = @{[ $batch % 2 ? 'on' : 'off' ]};
		SELECT format('%s [%s] gives %s in place of %s', property.query('$table', c), c.values, a.answer, c.plain)
		FROM property.condition c, LATERAL (SELECT property.answer('$table', c) AS answer OFFSET 0) a
		WHERE c.batch = $batch AND a.answer IS DISTINCT FROM c.plain AND c.plain NOT LIKE 'ERROR%' AND @{[ without($batch) ]} ORDER BY c.n});
}

# ---------------------------------------------------------------- CDMS's habits

my @habits = (
	{},
	{ 'string-compare' => 'ci-ai', 'like-wildcards' => 'live', 'ne-null' => 'keep' },
	{ 'page-size' => 1000, 'guid-ranges' => 'accept', 'json-numbers' => 'number' },
	{ 'string-compare' => 'cs', 'like-wildcards' => 'live', 'page-size' => 1000 },
);

sub habits
{
	my ($batch) = @_;
	my %all = ('string-compare' => 'ci', 'like-wildcards' => 'literal', 'ne-null' => 'drop', 'page-size' => 50,
		'guid-ranges' => 'refuse', 'json-numbers' => 'string', %{ $habits[ $batch % @habits ] });

	control('switch', $_, $all{$_}) for sort keys %all;
	return;
}

# No CDMS tells letter case apart; where one did, ILIKE would suffer.
sub without
{
	my ($batch) = @_;
	return ($habits[ $batch % @habits ]{'string-compare'} || '') eq 'cs' ? "c.condition || c.other NOT LIKE '%ILIKE%'" : 'true';
}

# ----------------------------------------------------------------------- the test

my ($requests, $filtered, $different, %words) = (0, 0, '');

# What CDMS was asked for the pass-through table.
sub count_filters
{
	my @asked = grep { !/skiptoken/ } control('log', '--path', 'AccountSet');

	$requests += @asked;
	for my $filter (grep { defined } map { /\$filter=(.*) ->/ } @asked)
	{
		$filtered++;
		$words{$_}++ for $filter =~ /(?:eq|ne) null|\b(?:eq|ne|lt|le|gt|ge|or|and|startswith|endswith|substringof)\b/g;
	}
	return;
}

sub try_batch
{
	my ($batch) = @_;

	sql('VACUUM');    # what a read of the store wrote was rolled back each time
	load_batch($batch, map { RandomCondition::make() } 1 .. BATCH);
	habits($batch);
	control('log', 'clear');
	$different .= different($batch, 'direct', 'on');
	count_filters();
	$different .= different($batch, 'synced', 'on');
	$different .= different($batch, $_, 'off') for 'direct', 'synced';
	return;
}

create_tables();
create_data();
create_functions();
try_batch($_) for 0 .. $batches - 1;

is($different, '', 'with and without pushing, with and without a store, the answers are those of a plain table');
my ($all, $errors, $none) = split /\|/, sql(q{
	SELECT count(*), count(*) FILTER (WHERE plain LIKE 'ERROR%'), count(*) FILTER (WHERE plain = 'none')
	FROM property.condition});
is($all, $batches * BATCH, "$all conditions were tried");
cmp_ok($errors, '<', $all / 50, 'few of them were no conditions');
cmp_ok($none, '<', $all / 2, 'most of them found something');
note("$filtered of $requests questions had a filter: ", join ', ', map { "$_ $words{$_}" } sort keys %words);
cmp_ok($filtered, '>', $requests * 0.3, 'many of the questions had a filter');
cmp_ok($words{$_} || 0, '>', 10, "of each kind: $_")
  for 'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'or', 'and', 'eq null', 'ne null', 'startswith', 'substringof';

done_testing();
