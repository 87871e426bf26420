# A streaming hot standby: it asks CDMS as the primary does, shows what has changed
# there, in joins and aggregates, too, stores nothing, and sends nothing but
# questions.  What the primary stores arrives by streaming; promoted, it stores
# itself.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = CrmTest::primary('standby_primary');
my $one = 'aaaaaaaa-0000-4000-8000-000000000001';
my $two = 'aaaaaaaa-0000-4000-8000-000000000002';
my $last = 'aaaaaaaa-0000-4000-8000-000000000024';
my $new = 'eeeeeeee-0000-4000-8000-000000000001';

sub sql
{
	my ($sql) = @_;
	return $primary->safe_psql('postgres', $sql);
}

sql(qq{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id          uuid OPTIONS (property 'AccountId') NOT NULL,
		name        text OPTIONS (property 'Name'),
		sector      uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'),
		note        text,
		modified_on timestamptz OPTIONS (property 'ModifiedOn')
	) SERVER cdms OPTIONS (entity 'Account');
	CREATE FOREIGN TABLE crm.sector (
		id   uuid OPTIONS (property 'optevia_sectorId') NOT NULL,
		name text OPTIONS (property 'optevia_name')
	) SERVER cdms OPTIONS (entity 'optevia_sector');
	CREATE FOREIGN TABLE crm.direct (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account'), crm_sync.create_store('crm.sector');
	SELECT count(*) FROM crm.account;
	UPDATE crm.account_store SET note = 'note of ' || name WHERE id IN ('$one', '$two');
});

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

sub there
{
	my ($sql) = @_;
	return $standby->safe_psql('postgres', $sql);
}

# What CDMS was told since the last look.
sub told
{
	my $told = sql(q{SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET %'});

	sql('SELECT cdms.log_clear()');
	return $told;
}

told();

# a complete table: what changed in CDMS
is(there('SELECT count(*) FROM crm.account'), '500', 'the standby reads a table');
is(sql(q{SELECT string_agg(regexp_replace(log, 'datetime''.*''', '...'), ' ') FROM cdms.log()})
	=~ s/.*\$filter=//r, 'ModifiedOn ge ... -> 200', 'by asking for what changed, in one request');
sql("SELECT cdms.edit('Account', '$one', 'Name', 'Edited 1'), cdms.create('Account', '$new', '{\"Name\": \"Edited new\"}')");
is(there("SELECT name, note FROM crm.account WHERE name LIKE 'Edited%' ORDER BY name"),
	"Edited 1|note of O'Neil & Sons\nEdited new|", 'it shows what was changed and created, and keeps columns of its own');
is(there("SELECT name FROM crm.account_store WHERE id IN ('$one', '$new')"), "O'Neil & Sons", 'and has stored nothing');
is(there("SELECT count(*), count(*) FILTER (WHERE name LIKE 'Edited%'), max(note) FROM crm.account"),
	'501|2|note of O\'Neil & Sons', 'so it does in aggregates');
is(there("SELECT a.name, count(s.name) FROM crm.account a LEFT JOIN crm.sector s ON s.id = a.sector
	WHERE a.name LIKE 'Edited%' GROUP BY a.name ORDER BY 1"),
	"Edited 1|1\nEdited new|0", 'and in a join with a table that is not stored at all');
is(there("SELECT a.name FROM crm.account_store s JOIN crm.account a USING (id) WHERE s.name LIKE 'O''Neil &%'"),
	'Edited 1', 'and beside its own store');
is(there("SELECT name FROM crm.account WHERE id = '$one'"), 'Edited 1', 'by key');
is(there("SELECT name FROM crm.direct WHERE id = '$one'"), 'Edited 1', 'and in a pass-through table');
is(there("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT name FROM crm.account WHERE id = '$one';
		SELECT cdms.edit('Account', '$one', 'Name', 'Edited again'); SELECT name FROM crm.account WHERE id = '$one'; COMMIT;
		SELECT name FROM crm.account WHERE id = '$one'"),
	"Edited 1\n\nEdited 1\nEdited again", 'in REPEATABLE READ the answer repeats');

# what CDMS has lost, and what waits to be sent
sql("SELECT cdms.delete('Account', '$last')");
is(there("SELECT name FROM crm.account WHERE id = '$last'"), 'NULL', 'what CDMS lacks is shown');
sql("ALTER FOREIGN TABLE crm.account OPTIONS (ADD on_missing 'delete')");
$primary->wait_for_catchup($standby);
is(there("SELECT count(*) FROM crm.account WHERE id = '$last'"), '0', 'or hidden, as on_missing says');
is(there("SELECT count(*) FROM crm.account_store WHERE id = '$last'"), '1', 'and is not deleted');
sql("ALTER FOREIGN TABLE crm.account OPTIONS (DROP on_missing)");
sql("SET crm_sync.mode = local; INSERT INTO crm.account (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000002', 'Edited here')");
$primary->wait_for_catchup($standby);
is(there("SELECT name FROM crm.account WHERE name LIKE 'Edited h%'"), 'Edited here', 'what waits to be sent is shown');
is(told(), '', 'CDMS was only asked');

# what a standby can't do
for my $statement ("UPDATE crm.account SET name = 'x' WHERE id = '$one'",
	"SELECT crm_sync.pull('crm.account')",
	"SELECT crm_sync.push('crm.account')",
	"SELECT name FROM crm.account WHERE id = '$one' FOR UPDATE")
{
	my ($status, $printed, $errors) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\n$statement");
	like($errors, qr/ERROR:  25006/, "refused: $statement");
}
is(told(), '', 'and CDMS was only asked');

# the primary stores, and the standby follows
is(sql("SELECT name FROM crm.account WHERE name LIKE 'Edited a%'"), 'Edited again', 'the primary reads');
$primary->wait_for_catchup($standby);
is(there("SELECT name FROM crm.account_store WHERE id = '$one'"), 'Edited again', 'and what it stored is on the standby');
sql('SELECT cdms.log_clear()');

# promoted
$standby->promote;
sql("SELECT cdms.edit('Account', '$two', 'Name', 'Edited 2')");
is(there("SELECT name FROM crm.account WHERE name = 'Edited 2'; SELECT name FROM crm.account_store WHERE id = '$two'"),
	"Edited 2\nEdited 2", 'promoted, it stores');

done_testing();
