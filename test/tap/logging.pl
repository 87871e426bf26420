# What crm_sync writes to the server's log: each request at the level of
# crm_sync.log_requests, passwords and bodies never, at no level.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmControl;
use CrmSession;
use CrmTest;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $user = 'UKTI\\crm_sync';
my $password = 'oPen"Ses\'ame 99%';
my $wrong = 'sHut|Sesame';

# debug5 is the last level there is.
my $node = CrmTest::node('logging', 'log_min_messages = debug5', "log_statement = 'none'");

# Everything that a client is told, errors included.
my $told = '';

sub run
{
	my ($sql) = @_;
	my ($status, $output, $errors) =
	  $node->psql('postgres', "SET client_min_messages = debug5;\n$sql");

	$told .= "$output\n$errors\n";
	return wantarray ? ($output, $errors) : $output;
}

# The lines that the server has logged about requests since the last call.
my $read = 0;

sub logged_requests
{
	my @lines = slurp_file($node->logfile, $read) =~ /^.*crm_sync: (?:GET|POST|MERGE|DELETE) .*$/mg;

	$read = -s $node->logfile;
	return @lines;
}

# --------------------------------------------------------------- log_requests

$node->safe_psql('postgres', q{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
});

my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my $select = "SELECT name FROM crm.account WHERE id = '$key'";

logged_requests();
$node->safe_psql('postgres', $select);
my @lines = logged_requests();
is(scalar @lines, 1, 'each request is a line');
like( $lines[0],
	qr{DEBUG: .*GET http://127\.0\.0\.1:\d+/UKTI/\S+/AccountSet\?\$select=AccountId,Name&\$filter=\S*$key\S*: 200, \d+ bytes, [\d.]+ ms},
	'of level debug1, with method, URL, status, size and time');

$node->safe_psql('postgres', "SET crm_sync.log_requests = 'log'; $select");
like((logged_requests())[0], qr/LOG: .*GET/, 'or of the level of crm_sync.log_requests');

my (undef, undef, $notice) = $node->psql('postgres', "SET crm_sync.log_requests = 'notice'; $select");
like($notice, qr/NOTICE:  crm_sync: GET http:/, 'which may be one that the client sees');

$node->safe_psql('postgres', 'ALTER SYSTEM SET log_min_messages = warning; SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT current_setting('log_min_messages') = 'warning'");
logged_requests();
$node->safe_psql('postgres', $select);
is(scalar logged_requests(), 0, 'nothing is logged by default');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET log_min_messages; SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT current_setting('log_min_messages') = 'debug5'");

my (undef, undef, $errors) = $node->psql('postgres', "$select; SET crm_sync.log_requests = 'error'");
like($errors, qr/invalid value for parameter "crm_sync.log_requests"/, 'a level that would be an ERROR is none');

# ---------------------------------------------------------------- a password

my $quoted = $password =~ s/'/''/gr;
$node->safe_psql('postgres', "SELECT cdms.control('user', '$user', '$quoted')");
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD auth 'basic')");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username '$user', ADD password '$quoted')");

is(run($select), "O'Neil & Sons", 'the password is right');
run("UPDATE crm.account SET name = 'Changed' WHERE id = '$key'");
is($node->safe_psql('postgres', "SELECT cdms.get('Account', '$key', 'Name')"), 'Changed', 'also for a write');
run('IMPORT FOREIGN SCHEMA cdms LIMIT TO (optevia_sector) FROM SERVER cdms INTO crm');
run("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, FORMAT JSON) $select");
run("TABLE crm_sync.$_") for qw(status stat_requests history pending failed conflicts);

# Whatever fails, with the password in hand.
for my $fault ("'status', '--status', '500'", "'login'", "'reset-after', '--times', '2'",
	"'status', '--status', '401'", "'status', '--status', '302', '--header', 'Location: http://x.example.org/'",
	"'cut', '--bytes', '9'", "'raw', '--body', 'SSH'")
{
	$node->safe_psql('postgres', "SELECT cdms.fault($fault)");
	my (undef, $error) = run($select);
	like($error, qr/ERROR/, "failed: $fault");
	$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
}

# A validator that refuses an option does not repeat its value.
for my $option ("url 'http://$user:99Sesame\@x.example.org'", "url 'http://x.example.org', password '99Sesame'",
	"url 'http://x.example.org', pasword '99Sesame'", "url 'http://x.example.org?99Sesame'")
{
	my (undef, undef, $error) = $node->psql('postgres',
		"CREATE SERVER other FOREIGN DATA WRAPPER crm_sync OPTIONS ($option)");
	like($error, qr/ERROR/, 'refused: ' . $option =~ s/99Sesame/.../r);
	unlike($error =~ s/^LINE .*//mr, qr/99Sesame/, 'and not repeated');
}

# A wrong one: one request each, 28P01.
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$wrong')");
for my $statement ($select, 'SELECT count(*) FROM crm.account',
	"SELECT count(*) FROM crm.account a JOIN crm.account b USING (id)",
	"SELECT crm_sync.pull('crm.account')",
	'IMPORT FOREIGN SCHEMA cdms FROM SERVER cdms INTO crm',
	"UPDATE crm.account_store SET name = 'x' WHERE id = '$key'",
	"INSERT INTO crm.account (id, name) VALUES (gen_random_uuid(), 'x')",
	"DELETE FROM crm.account_store WHERE id = '$key'")
{
	$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
	my (undef, $error) = run("\\set VERBOSITY verbose\n$statement");
	like($error, qr/ERROR:  28P01: .*DETAIL:  CDMS answered 401.*HINT:  Check the user mapping/s, "wrong password: $statement");
	is($node->safe_psql('postgres', 'SELECT cdms.requests()'), '1', 'which CDMS was sent once');
}

# Rows that wait for a reader to send them: the writer's wrong password is sent
# once, not for each row.
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$quoted')");
$node->safe_psql('postgres', "
	CREATE ROLE writer LOGIN;
	GRANT USAGE ON SCHEMA crm TO writer;
	GRANT ALL ON crm.account TO writer;
	CREATE USER MAPPING FOR writer SERVER cdms OPTIONS (username '$user', password '$wrong');
	SET ROLE writer;
	SET crm_sync.mode = local;
	INSERT INTO crm.account (id, name)
		SELECT format('eeeeeeee-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'Local' FROM generate_series(1, 5) n");
$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
my ($count, $warning) = run("SELECT count(*) FROM crm.account WHERE name = 'Local'");
is($count, '5', 'a reader does not fail for the writer\'s password');
is($node->safe_psql('postgres', "SELECT count(*) FROM cdms.log() WHERE log LIKE '%-> 401'"),
	'1', 'which CDMS was sent once for all rows');

# ------------------------------------------------------------------- bodies

# Marks that stand in bodies alone: no statement has one in one piece, for the log
# shows a statement that failed.
my $cdms = CrmControl->new($node, 'postgres');
my $from = -s $node->logfile;
my $messages = '';

sub hear
{
	my ($output, $errors) = run(@_);

	$messages .= "$errors\n";
	return $output;
}

sub mark
{
	my ($what) = @_;
	return "'mark-of-' || '$what'";
}

$node->safe_psql('postgres', q{
	ALTER SERVER cdms OPTIONS (ADD batch 'off');
	CREATE FOREIGN TABLE crm.passed_through (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account')});
$cdms->run('switch', 'batch', 'atomic');
for my $format ('json', 'atom')
{
	for my $batch ('off', 'on')
	{
		$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET format '$format', SET batch '$batch')");
		$cdms->run('log', 'clear');
		$cdms->run('edit', 'Account', $key, '{"Name": "mark-of-answer"}');
		is(hear($select), 'mark-of-answer', "$format, batch $batch: a value that CDMS answers with");
		is(hear($select =~ s/account/passed_through/r), 'mark-of-answer', 'in a table without a store, too');
		hear("SELECT count(*) FROM crm.account WHERE name = " . mark('filter'));
		hear("UPDATE crm.account SET name = " . mark('write') . " WHERE id = '$key'");
		hear("INSERT INTO crm.account (name) SELECT " . mark('write') . " FROM generate_series(1, 2)");
		like(join("\n", $cdms->run('log', '--raw')), qr/mark-of-write.*mark-of-write/s, 'and values that are written');
		# Refused, lost, cut, and no data at all.
		$cdms->run('fault', 'status', '--verb', 'MERGE', '--status', '500');
		$cdms->run('fault', 'status', '--path', '$batch', '--status', '500');
		hear("UPDATE crm.account SET name = " . mark('refused') . " WHERE id = '$key'");
		$cdms->run('fault', 'clear');
		$cdms->run('fault', 'reset-after', '--verb', 'POST', '--times', '9');
		hear("INSERT INTO crm.account (name) VALUES (" . mark('lost') . ")");
		$cdms->run('fault', 'clear');
		$cdms->run('edit', 'Account', $key, '{"Name": "mark-of-cut"}');
		for my $fault ([ 'cut', '--bytes', '300' ], [ 'length', '--delta', '-20' ], [ 'gzip-garbage' ],
			[ 'status', '--status', '200', '--body', '<html><p>' . 'x' x 200 . 'mark-of-page' ],
			[ 'status', '--status', '500', '--body', '<html><p>' . 'x' x 200 . 'mark-of-page' ])
		{
			$cdms->run('fault', @$fault);
			hear($select);
			$cdms->run('fault', 'clear');
		}
	}
}
my $bodies = slurp_file($node->logfile, $from);
ok($bodies =~ /crm_sync: GET \S*mark-of-filter/, 'the values of a filter are logged with its request');
for my $what ('answer', 'write', 'refused', 'lost', 'cut', 'page')
{
	is(index($bodies, "mark-of-$what"), -1, "no body was logged: $what");
	is(index($messages, "mark-of-$what"), -1, 'nor was it in a message');
}
# But what a body says of an error is the error's DETAIL.
$cdms->run('fault', 'status', '--status', '500', '--body', '{"error": {"message": {"value": "mark-of-words"}}}');
like((run($select))[1], qr/DETAIL:  CDMS answered 500: mark-of-words/, 'CDMS\'s words of an error are shown');
$cdms->run('fault', 'clear');

# ------------------------------------------------------ other people's requests

# Somebody without rights gets the messages of his own requests, at whatever level
# he likes; not those of another session, nor its statements, nor its passwords.
$node->safe_psql('postgres', "
	CREATE ROLE mallory LOGIN;
	GRANT USAGE ON SCHEMA crm, cdms TO mallory;
	CREATE VIEW crm.greeting AS SELECT 'hello' AS word;
	GRANT SELECT ON crm.greeting TO mallory");
my $mallory = CrmSession->new($node);
$mallory->query('SET SESSION AUTHORIZATION mallory');
$mallory->query("SET client_min_messages = debug5; SET crm_sync.log_requests = 'warning'");
run($select);
my $seen = join "\n", map { $mallory->query($_) } 'SELECT * FROM crm.greeting',
  'TABLE crm_sync.stat_requests', 'SELECT query FROM pg_stat_activity', 'TABLE crm_sync.status',
  'TABLE pg_user_mappings', 'TABLE information_schema.user_mapping_options',
  'TABLE information_schema.foreign_server_options', 'TABLE crm_sync.history', 'TABLE crm_sync.outbox',
  'TABLE crm_sync.pending';
$seen .= $mallory->errors;
like($seen, qr/^hello$/m, 'he can ask');
unlike($seen, qr/crm_sync: (?:GET|POST|MERGE|DELETE)/, 'another session\'s requests are shown to nobody');
unlike($seen, qr/\Q$key\E/, 'nor what they were about');
$told .= $seen;

# While a request hangs, a superuser sees every session's statement as it was
# given, and nothing more.
my $superuser = CrmSession->new($node);
my %hangs = (GET => $select, MERGE => "UPDATE crm.account_store SET name = 'Hangs' WHERE id = '$key'",
	POST => "INSERT INTO crm.account (name) VALUES ('Hangs')");
for my $verb (sort keys %hangs)
{
	my $busy = CrmSession->new($node);
	my $pid = $busy->pid;

	$cdms->run('log', 'clear');
	$cdms->run('fault', 'hang', '--verb', $verb);
	$busy->begin("$hangs{$verb};\n");
	$node->poll_query_until('postgres', "
		SELECT state = 'active' AND wait_event_type = 'Extension' AND cdms.requests('$verb') = 1
			FROM pg_stat_activity WHERE pid = $pid");
	my $activity = $superuser->query('SELECT * FROM pg_stat_activity');
	my $others = $mallory->query('SELECT * FROM pg_stat_activity');
	like($activity, qr/^[^\n]*\|$pid\|[^\n]*\Q$hangs{$verb}\E/m, "a superuser sees who waits for a $verb");
	like($others, qr/^[^\n]*\|$pid\|[^\n]*<insufficient privilege>/m, 'others see that he is there');
	$told .= "$activity\n$others\n";
	$cdms->run('fault', 'clear');
	$told .= $busy->finish . $busy->errors;
	$busy->close;
}

# A cookie that CDMS gives is as good as a password for as long as it lasts.
my $cookie = 'c00kie-of-a-session';
$node->safe_psql('postgres', qq{SELECT cdms.fault('status', '--status', '500', '--header', 'Set-Cookie: MSISAuth=$cookie')});
my $session = CrmSession->new($node);
$session->query('SET client_min_messages = debug5');
$told .= $session->query($select) for 1 .. 2;
$told .= $session->errors;
like($node->safe_psql('postgres', "SELECT cdms.control('log', '--raw')"), qr/Cookie: MSISAuth=\Q$cookie\E/,
	'the session sends it back');

# Neither password is in the log, or in what a client was told; nor what Basic
# authentication makes of them; nor the cookie.
my $log = slurp_file($node->logfile);
for my $secret ($password, $wrong)
{
	my $basic = encode_base64("$user:$secret", '');

	is(index($told, $secret), -1, 'no client was told a password');
	is(index($told, $basic), -1, 'nor the header that carries it');
	is(index($log, $secret), -1, 'no password was logged');
	is(index($log, $basic), -1, 'nor the header that carries it');
}
is(index($told, $cookie), -1, 'no client was told the cookie');
is(index($log, $cookie), -1, 'the cookie was not logged');

done_testing();
