# Loading a big entity: through several requests at once, by ranges of CreatedOn,
# while objects come and go; in one transaction (pull) and in several (load), which
# go on after a cancel, begin anew after an ALTER, and do not grow with the entity.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $accounts = $ENV{CRM_LONG} ? 300_000 : 4_000;
my $node = CrmTest::node('load');

$node->safe_psql('postgres', 'CREATE DATABASE big');
CrmTest::simulator($node, 'big', '--accounts', $accounts);

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('big', $sql);
}

sub control
{
	my @words = map { "'$_'" } @_;
	return sql('SELECT cdms.control(' . join(', ', @words) . ')');
}

# A new table without rows, and what CDMS was asked begins here.
sub make_table
{
	my (@columns) = @_;

	sql(q{
		DROP SCHEMA IF EXISTS crm CASCADE;
		CREATE SCHEMA crm;
		CREATE FOREIGN TABLE crm.account (
			id   uuid OPTIONS (property 'AccountId') NOT NULL,
			name text OPTIONS (property 'Name'),
			modified_on timestamptz OPTIONS (property 'ModifiedOn')
		} . join('', map { ", $_" } @columns) . q{
		) SERVER cdms OPTIONS (entity 'Account');
		SELECT crm_sync.create_store('crm.account');
		SELECT cdms.log_clear()});
	return;
}

# Keys that CDMS has and the store lacks, or the other way round.
my $apart = q{
	WITH there AS (SELECT key::uuid FROM regexp_split_to_table(cdms.control('keys', 'AccountSet', '1000000'), '\s+') AS key
	               WHERE key <> '')
	SELECT count(*) FROM there FULL JOIN crm.account_store s ON s.id = there.key
	WHERE s.id IS NULL OR there.key IS NULL};

sql('CREATE EXTENSION crm_sync; SELECT cdms.create_server($$ max_connections \'4\' $$)');
my $all = control('count', 'AccountSet');
my $pages = int(($all + 49) / 50);

# ------------------------------------------------------------------- by ranges

make_table();
is(sql("SELECT crm_sync.pull('crm.account')"), $all, 'pull writes all objects');
is(sql($apart), '0', 'these and no others');
my $requests = sql("SELECT cdms.requests('GET')");
note("$requests requests for $pages pages");
cmp_ok($requests, '<', $pages * 1.15 + 40, 'for few requests more than pages');
is(sql(q{SELECT count(*) FROM cdms.log() WHERE log ~ '[$]skip='}), '0', 'offsets are never used');
cmp_ok(sql(q{SELECT count(*) FROM cdms.log() WHERE log ~ 'CreatedOn ge .*orderby=CreatedOn'}), '>', 2,
	'ranges are read side by side');
like(control('connections'), qr/, [1-4] accepted/, 'no more connections than the session may have');
is(sql('SELECT complete FROM crm_sync.status'), 't', 'the table is complete');

# ------------------------------------------------- while objects come and go

make_table();
my @gone = split /\n/, control('keys', 'AccountSet', '2000');
@gone = map { (split)[0] } @gone[ grep { $_ % 120 == 0 } 200 .. 1999 ];
for my $key (@gone)
{
	control('fault', 'do-before', '--verb', 'GET', '--skip', 1, '--command', "delete AccountSet $key");
	control('fault', 'do-after', '--verb', 'GET', '--skip', 1, '--command',
		'create AccountSet - {"Name":"meanwhile"}');
}
sql("SELECT crm_sync.pull('crm.account')");
is(control('fault', 'list'), '', 'all that was to happen meanwhile has happened');
is(sql(qq{
	WITH there AS (SELECT key::uuid FROM regexp_split_to_table(cdms.control('keys', 'AccountSet', '1000000'), '\\s+') AS key
	               WHERE key <> '')
	SELECT count(*) FROM there LEFT JOIN crm.account_store s ON s.id = there.key WHERE s.id IS NULL}),
	'0', 'nothing that is there was lost');
my $quoted = join ', ', map { "'$_'" } @gone;
cmp_ok(sql("SELECT count(*) FROM crm.account_store WHERE id NOT IN ($quoted)"), '>=', $all - @gone,
	'deletions made it pass over nothing');

# ------------------------------------------------------- in several transactions

make_table();
$all = control('count', 'AccountSet');
control('latency', 150);
my $session = CrmSession->new($node, 'big');
$session->send("CALL crm_sync.load('crm.account');\n");
$node->poll_query_until('big', 'SELECT count(*) > 0 FROM crm_sync.progress WHERE NOT isempty(loaded)');
kill 'INT', $session->pid;
$session->finish;
my $errors = $session->errors;
like($errors, qr/NOTICE:  crm.account: \d+ objects so far, \d+ a second(, about \d+ % left)?\n/, 'it says how far it is');
like($errors, qr/canceling statement due to user request/, 'and is cancelled');
my $before = sql('SELECT count(*) FROM crm.account_store');
cmp_ok($before, '>', 0, 'what was committed stays');
cmp_ok($before, '<', $all, 'there is more to come');
is(sql('SELECT complete FROM crm_sync.status'), 'f', 'the table is not complete');

control('latency', 0);
sql('SELECT cdms.log_clear()');
sql("CALL crm_sync.load('crm.account')");
is(sql($apart), '0', 'called again it brings the rest');
is(sql('SELECT complete FROM crm_sync.status'), 't', 'the table is complete');
is(sql('SELECT count(*) FROM crm_sync.progress WHERE loaded IS NOT NULL'), '0', 'nothing is left to be loaded');
is(sql("SELECT count(*) FROM cdms.log() WHERE log !~ 'CreatedOn'"), '0', 'by what its ranges lack');
sql("SELECT cdms.log_clear(); CALL crm_sync.load('crm.account')");
is(sql("SELECT cdms.requests('GET')"), '1', 'of a complete table it asks for changes');

# ------------------------------------------------------ what differs from before

sql("SET crm_sync.mode = local; DELETE FROM crm_sync.outbox;
	INSERT INTO crm.account_store (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'only here')");
sql(q{
	DELETE FROM crm_sync.outbox;
	ALTER FOREIGN TABLE crm.account ADD COLUMN alias text OPTIONS (property 'optevia_Alias'), OPTIONS (ADD on_missing 'delete');
	SELECT crm_sync.create_store('crm.account')});
is(sql('SELECT complete FROM crm_sync.status'), 'f', 'a new property makes the table incomplete');
sql("CALL crm_sync.load('crm.account')");
is(sql("SELECT alias FROM crm.account_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002'"),
	'50% [off]_sale', 'load begins anew');
is(sql($apart), '0', 'what CDMS lacks is treated as on_missing says');

my ($status, $output, $refusal) = $node->psql('big', "BEGIN; CALL crm_sync.load('crm.account')");
like($refusal, qr/crm_sync.load\(\) commits, which is not possible here/, 'not inside a transaction');

# ------------------------------------------------------------------------ memory

my $grown = q{SELECT sum(total_bytes) FROM pg_backend_memory_contexts};

for my $load ("SELECT crm_sync.pull('crm.account')", "CALL crm_sync.load('crm.account')")
{
	make_table();
	my $bytes = $session->query($grown);
	my $resident = $session->memory;
	$session->query($load);
	my $more = $session->query($grown) - $bytes;
	my $kilobytes = $session->memory - $resident;
	diag("$load: contexts $more bytes more, process $kilobytes kB more, of $all objects");
	cmp_ok($more, '<', 8 * 1024 * 1024, 'memory contexts stay small');
	cmp_ok($kilobytes, '<', 32 * 1024, 'and so does the process');
}
$session->close;

done_testing();
