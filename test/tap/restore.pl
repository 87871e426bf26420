# A dump restored into another database: what is synchronised there is what was
# synchronised here, and nothing is sent by itself.  Then the table is taken
# apart in each way that PostgreSQL has.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = CrmTest::node('restore');
my $database = 'postgres';

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql($database, $sql);
}

# What a statement that must fail says.
sub failure
{
	my ($sql) = @_;
	my ($status, $output, $errors) = $node->psql($database, $sql);
	return $errors;
}

# CDMS is asked through the database that runs the simulator.
sub cdms
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sql(q{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id    uuid OPTIONS (property 'AccountId') NOT NULL,
		name  text OPTIONS (property 'Name') NOT NULL,
		alias text OPTIONS (property 'optevia_Alias'),
		paf   boolean OPTIONS (property 'optevia_PAFOverride', constant 'true'),
		note  text
	) SERVER cdms OPTIONS (entity 'Account', on_missing 'ignore');
	SELECT crm_sync.create_store('crm.account');
	SELECT count(*) FROM crm.account;
	UPDATE crm.account SET note = 'ours' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
	UPDATE crm.account SET alias = 'sent' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
	SET crm_sync.mode = local;
	UPDATE crm.account SET alias = 'pending' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003';
	INSERT INTO crm.account (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'Pending');
	DELETE FROM crm.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000030';
});

my $contents = q{
	SELECT (SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM crm.account_store s),
		(SELECT md5(string_agg(concat(h.id, h.store, h.key, h.operation, h.origin, h.before, h.after), ',' ORDER BY id)) FROM crm_sync.history h),
		(SELECT md5(string_agg(concat(p.id, p.store, p.key, p.operation, p.changed, p.since), ',' ORDER BY id)) FROM crm_sync.pending p),
		(SELECT count(*) FROM crm_sync.pending)};
my $definitions = q{
	SELECT (SELECT string_agg(o, ',' ORDER BY o) FROM pg_foreign_table, unnest(ftoptions) o),
		(SELECT string_agg(concat(attname, ' ', o), ',' ORDER BY attnum, o)
			FROM pg_attribute LEFT JOIN unnest(attfdwoptions) o ON true
			WHERE attrelid = 'crm.account'::regclass AND attnum > 0),
		(SELECT string_agg(pg_get_triggerdef(oid), ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'crm.account_store'::regclass),
		(SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid) FROM pg_index WHERE indrelid = 'crm.account_store'::regclass)};
my @here = (sql($contents), sql($definitions));
my $last_history = sql('SELECT max(id) FROM crm_sync.history');

# ------------------------------------------------------------------ the dump

# The schema of the tests' own functions belongs to this database alone.
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-N', 'cdms', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
cdms('SELECT cdms.log_clear()');
sql('CREATE DATABASE copy');
$database = 'copy';
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ],
	'restored without an error');

is(sql($contents), $here[0], 'store, history and outbox are the same');
is(sql($definitions), $here[1], 'so are options, triggers and indexes');
is(cdms('SELECT cdms.requests()'), '0', 'nothing was asked or sent');

# --------------------------------------------------------- the table works

is(sql("SELECT name, note FROM crm.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
	"O'Neil & Sons|ours", 'a read');
is(sql('SELECT count(*) FROM crm_sync.pending'), '2',
	'sends the row that was never pushed, and leaves the other pending changes to push()');
is( cdms("SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET %'"),
	q(POST AccountSet {"AccountId":"eeeeeeee-0000-4000-8000-000000000001","Name":"Pending","optevia_PAFOverride":true} -> 201),
	'CDMS has it');

cdms('SELECT cdms.log_clear()');
is(sql("SELECT crm_sync.push('crm.account')"), '2', 'push()');
is( cdms("SELECT log FROM cdms.log() WHERE log NOT LIKE 'GET %'"),
	q(MERGE AccountSet(guid'aaaaaaaa-0000-4000-8000-000000000003') {"optevia_Alias":"pending","optevia_PAFOverride":true} -> 204)
	  . "\nDELETE AccountSet(guid'aaaaaaaa-0000-4000-8000-000000000030') -> 204",
	'sends them');
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing is pending any more');

sql("UPDATE crm.account SET alias = 'after' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
is(cdms("SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_Alias')"), 'after', 'a write');
is(sql("SELECT min(id) > $last_history FROM crm_sync.history WHERE after ->> 'alias' = 'after'"),
	't', 'history goes on with new numbers');
is( sql("SELECT alias FROM crm_sync.as_of(NULL::crm.account, (SELECT min(changed_at) FROM crm_sync.history
		WHERE after ->> 'alias' = 'sent')) WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002'"),
	'sent', 'and as_of() reaches back before the dump');

# There is no other version yet to go to.
sql("ALTER EXTENSION crm_sync UPDATE");
is(sql("SELECT extversion FROM pg_extension WHERE extname = 'crm_sync'"), '1.0', 'ALTER EXTENSION UPDATE has nothing to do');

# ----------------------------------------------------------------- new names

sql('ALTER FOREIGN TABLE crm.account RENAME TO organisation');
is(sql("SELECT alias FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
	'after', 'the foreign table may be renamed');
sql("UPDATE crm.organisation SET alias = 'renamed' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
is(cdms("SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_Alias')"), 'renamed', 'and written');

# The option "store" is a name.
sql('ALTER TABLE crm.account_store RENAME TO organisation_store');
my $error = failure("SELECT alias FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
like($error, qr/ERROR:  .*account_store.*\n.*HINT:  /s, 'a store renamed: an ERROR with a HINT');
sql("ALTER FOREIGN TABLE crm.organisation OPTIONS (SET store 'crm.organisation_store')");
is(sql("SELECT alias FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
	'renamed', 'with the option set, it works');
sql("UPDATE crm.organisation SET alias = 'store renamed' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
is(cdms("SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_Alias')"), 'store renamed', 'and is written');
is(sql("SELECT DISTINCT store FROM crm_sync.history"), 'crm.organisation_store', 'history has followed');

sql('ALTER SCHEMA crm RENAME TO ours');
$error = failure("SELECT alias FROM ours.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
like($error, qr/ERROR:  .*organisation_store.*\n.*HINT:  /s, 'a schema renamed: likewise');
sql("ALTER FOREIGN TABLE ours.organisation OPTIONS (SET store 'ours.organisation_store')");
is(sql("SELECT alias FROM ours.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
	'store renamed', 'with the option set, it works');

# A write to a store that its foreign table does not find would be lost in
# silence: it is refused.
sql("SELECT crm_sync.create_store('ours.organisation')");
sql('ALTER TABLE ours.organisation_store RENAME TO other_store');
cdms('SELECT cdms.log_clear()');
$error = failure("UPDATE ours.other_store SET alias = 'lost?' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
like($error, qr/ERROR:  .*organisation_store.*\n.*HINT:  /s, 'a write to the renamed store is refused');
is(cdms('SELECT cdms.requests()'), '0', 'nothing is sent');
sql('ALTER TABLE ours.other_store RENAME TO organisation_store');

# So is one to a store that belongs to somebody else now.
sql('CREATE ROLE somebody; ALTER TABLE ours.organisation_store OWNER TO somebody');
$error = failure("UPDATE ours.organisation_store SET alias = 'lost?' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
like($error, qr/ERROR:  .*organisation_store.*\nDETAIL:  .*owner/s, 'so is one to a store of another owner');
sql('ALTER TABLE ours.organisation_store OWNER TO CURRENT_USER; DROP ROLE somebody');

# ------------------------------------------------------------------- the end

sql('DROP FOREIGN TABLE ours.organisation');
is(sql('SELECT count(*) > 490, count(note) FROM ours.organisation_store'), 't|1', 'DROP FOREIGN TABLE leaves the store');
cdms('SELECT cdms.log_clear()');
sql("UPDATE ours.organisation_store SET alias = 'plain' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
sql("INSERT INTO ours.organisation_store (id, name) VALUES (gen_random_uuid(), 'plain')");
sql("DELETE FROM ours.organisation_store WHERE name = 'plain'");
is(cdms('SELECT cdms.requests()'), '0', 'as a plain table, of whose changes CDMS is not told');
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'and nothing is kept for it');

# Another foreign table adopts it.
sql(q{
	CREATE FOREIGN TABLE ours.account (
		id    uuid OPTIONS (property 'AccountId') NOT NULL,
		name  text OPTIONS (property 'Name') NOT NULL,
		alias text OPTIONS (property 'optevia_Alias'),
		paf   boolean OPTIONS (property 'optevia_PAFOverride', constant 'true'),
		note  text
	) SERVER cdms OPTIONS (entity 'Account', on_missing 'ignore');
	SELECT crm_sync.create_store('ours.account', 'ours.organisation_store');
});
is(sql("SELECT alias, note FROM ours.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
	'store renamed|ours', 'the store can be adopted by another foreign table');

sql('DROP SERVER cdms CASCADE');
is(sql('SELECT count(*) FROM pg_foreign_table'), '0', 'DROP SERVER CASCADE takes the foreign table');
is(sql('SELECT count(*) > 490, count(note) FROM ours.organisation_store'), 't|1', 'and leaves the store');
sql('DROP EXTENSION crm_sync CASCADE');
is( sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ours.organisation_store'::regclass AND NOT tgisinternal"),
	'0', 'DROP EXTENSION CASCADE takes the triggers');
sql("UPDATE ours.organisation_store SET alias = 'free' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
is(sql('SELECT count(*) > 490, count(note) FROM ours.organisation_store'), 't|1', 'and leaves the store');
is( sql("SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid), (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid)
		FROM pg_namespace n WHERE nspname = 'crm_sync'"),
	'0|0', 'of its own it leaves the empty schema, as PostgreSQL does');

# And all can be made again, in the same session.
is( sql(sprintf q{
		CREATE EXTENSION crm_sync;
		CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync OPTIONS (url '%s');
		CREATE USER MAPPING FOR CURRENT_USER SERVER cdms;
		CREATE FOREIGN TABLE ours.account (
			id    uuid OPTIONS (property 'AccountId') NOT NULL,
			name  text OPTIONS (property 'Name') NOT NULL,
			alias text OPTIONS (property 'optevia_Alias')
		) SERVER cdms OPTIONS (entity 'Account');
		SELECT count(crm_sync.create_store('ours.account', 'ours.organisation_store'));
		SELECT alias FROM ours.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
		DROP EXTENSION crm_sync CASCADE;
		CREATE EXTENSION crm_sync;
		CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync OPTIONS (url '%1$s');
		CREATE USER MAPPING FOR CURRENT_USER SERVER cdms;
		CREATE FOREIGN TABLE ours.account (
			id    uuid OPTIONS (property 'AccountId') NOT NULL,
			name  text OPTIONS (property 'Name') NOT NULL,
			alias text OPTIONS (property 'optevia_Alias')
		) SERVER cdms OPTIONS (entity 'Account');
		SELECT count(crm_sync.create_store('ours.account', 'ours.organisation_store'));
		UPDATE ours.account SET alias = 'again' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
		SELECT alias FROM ours.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'},
		cdms('SELECT cdms.url()')),
	"1\nstore renamed\n1\nagain", 'dropped and created again');
is(cdms("SELECT cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000001', 'optevia_Alias')"), 'again', 'it is in CDMS');

done_testing();
