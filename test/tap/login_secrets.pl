# What a login leaves in the server's log at debug5, with clients and in
# pg_stat_activity: no password in any form it is sent in, no token, no cookie, no
# query of a login's URLs, no page of it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $password = 'oPen"Ses\'ame 99%';
my $wrong = 'sHut|Sesame';
my $node = CrmTest::node('secrets', 'log_min_messages = debug5', "log_statement = 'none'");
my $port = $node->safe_psql('postgres', 'SELECT port FROM cdms.simulator');
my $told = '';

sub run
{
	my ($sql) = @_;
	my ($status, $output, $errors) = $node->psql('postgres',
		"SET client_min_messages = debug5; SET crm_sync.log_requests = 'notice';\n$sql", on_error_stop => 0);

	$told .= "$output\n$errors\n";
	return "$output$errors";
}

my $quoted = $password =~ s/'/''/gr;
$node->safe_psql('postgres', qq{
	SELECT cdms.control('user', 'UKTI\\clerk', '$quoted'), cdms.switch('login', 'adfs');
	CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync
		OPTIONS (url 'http://127.0.0.1:$port/UKTI', auth 'adfs', adfs_url 'http://localhost:$port/adfs/ls/');
	CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'UKTI\\clerk', password '$quoted');
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.organisation (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account')});

my $read = "SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';";

# A page of a login, with a mark in each place: in its text, in what is sent back.
my $form = '<html><p>mark-of-page<form method=post action="/adfs/ls/"><input name=mark-of-name value=mark-of-value>'
  . '<input name=Username><input name=Password type=password></form>';

for my $auth ('adfs', 'ntlm')
{
	$node->safe_psql('postgres', "
		ALTER SERVER cdms OPTIONS (SET auth '$auth');
		ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$quoted');
		SELECT cdms.switch('login', '$auth')");
	like(run($read), qr/O'Neil & Sons/, "$auth: the password is right");
	for my $fault ("'status', '--path', '/adfs/ls/', '--status', '500', '--body', '<html>no'",
		"'status', '--path', '/adfs/ls/', '--verb', 'GET', '--status', '200', '--body', '$form'",
		"'status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '200', '--times', '2', '--body', '$form'",
		"'status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '302', '--header', 'Location: http://x.example.org/?wresult=token'",
		"'reset-after', '--path', '/adfs/ls/', '--verb', 'POST'", "'cut', '--path', '/UKTI', '--bytes', '9'",
		"'login', '--times', '2'")
	{
		$node->safe_psql('postgres', "SELECT cdms.fault($fault)");
		run($read);
		$node->safe_psql('postgres', "SELECT cdms.fault('clear'), cdms.control('expire')");
	}
	# What a superuser sees of a session that is about to log in, or about to ask.
	for my $path ($auth eq 'adfs' ? '/adfs/ls/' : (), 'AccountSet')
	{
		my $session = CrmSession->new($node);
		my $pid = $session->pid;

		$node->safe_psql('postgres', "SELECT cdms.control('expire'), cdms.fault('hang', '--path', '$path', '--forever')");
		$session->begin("$read\n");
		$node->poll_query_until('postgres', "
			SELECT state = 'active' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid");
		my $activity = $node->safe_psql('postgres', 'TABLE pg_stat_activity');
		like($activity, qr/\|$pid\|[^\n]*\Q$read\E/, "$auth: a superuser sees who waits at $path");
		$told .= $activity;
		$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
		$told .= $session->finish . $session->errors;
		$session->close;
	}
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$wrong')");
	like(run("$read\n$read"), qr/ERROR:.*ERROR:  login to server "cdms" was refused/s, "$auth: it is wrong");
	run("EXPLAIN (VERBOSE, ANALYZE) $read");
}

my $log = slurp_file($node->logfile);
like($log, qr{crm_sync: POST http://localhost:$port/adfs/ls/: 200}, 'a login\'s requests are logged');
for my $secret ($password, $wrong)
{
	my $encoded = $secret =~ s/([^A-Za-z0-9._~()',\/:\$-])/sprintf '%%%02X', ord $1/ger;

	for my $form ($secret, $encoded)
	{
		is(index($log, $form), -1, 'no password was logged');
		is(index($told, $form), -1, 'nor a client told one');
	}
}
for my $secret ('wresult', 'wctx=', 'whr=', 'MSISAuth', 'NTLM TlRM', 'RequestSecurityToken', 'VIEWSTATE', 'mark-of')
{
	is(index($log . $told, $secret), -1, "nor anything with $secret");
}

done_testing();
