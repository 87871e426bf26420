# What a login leaves in the server's log at debug5, and with clients: no password
# in any form it is sent in, no token, no cookie, no query of a login's URLs.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

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

for my $auth ('adfs', 'ntlm')
{
	$node->safe_psql('postgres', "
		ALTER SERVER cdms OPTIONS (SET auth '$auth');
		ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$quoted');
		SELECT cdms.switch('login', '$auth')");
	like(run($read), qr/O'Neil & Sons/, "$auth: the password is right");
	for my $fault ("'status', '--path', '/adfs/ls/', '--status', '500', '--body', '<html>no'",
		"'status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '302', '--header', 'Location: http://x.example.org/?wresult=token'",
		"'reset-after', '--path', '/adfs/ls/', '--verb', 'POST'", "'cut', '--path', '/UKTI', '--bytes', '9'",
		"'login', '--times', '2'")
	{
		$node->safe_psql('postgres', "SELECT cdms.fault($fault)");
		run($read);
		$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
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
for my $secret ('wresult', 'wctx=', 'whr=', 'MSISAuth', 'NTLM TlRM', 'RequestSecurityToken')
{
	is(index($log . $told, $secret), -1, "nor anything with $secret");
}

done_testing();
