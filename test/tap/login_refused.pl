# A wrong password must not lock somebody's account: where the library is preloaded
# one session's refusal is every session's for half a minute, unless the mapping or
# the server is altered.  Who is logged in goes on; other mappings are not concerned.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $read = "SELECT name FROM crm.organisation WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'";

# A server, its table, and two roles' mappings.
sub prepare
{
	my ($node, $auth) = @_;
	my $port = $node->safe_psql('postgres', 'SELECT port FROM cdms.simulator');
	my $more = $auth eq 'adfs' ? ", adfs_url 'http://localhost:$port/adfs/ls/'" : '';

	$node->safe_psql('postgres', qq{
		SET client_min_messages = warning;
		DROP SCHEMA IF EXISTS crm CASCADE;
		DROP SERVER IF EXISTS cdms CASCADE;
		DROP ROLE IF EXISTS regress_crm_ann;
		SELECT cdms.control('reset');
		SELECT cdms.control('user', 'clerk', 'right'), cdms.control('user', 'ann', 'secret'), cdms.switch('login', '$auth');
		CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync OPTIONS (url 'http://127.0.0.1:$port/UKTI', auth '$auth'$more);
		CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'clerk', password 'wrong');
		CREATE ROLE regress_crm_ann;
		CREATE USER MAPPING FOR regress_crm_ann SERVER cdms OPTIONS (username 'ann', password 'secret');
		CREATE SCHEMA crm;
		CREATE FOREIGN TABLE crm.organisation (
			id   uuid OPTIONS (property 'AccountId') NOT NULL,
			name text OPTIONS (property 'Name')
		) SERVER cdms OPTIONS (entity 'Account');
		GRANT USAGE ON SCHEMA crm TO regress_crm_ann;
		GRANT SELECT ON crm.organisation TO regress_crm_ann});
	return;
}

# A session of its own reads.
sub read_anew
{
	my ($node, $role) = @_;
	my (undef, $output, $errors) =
	  $node->psql('postgres', ($role ? "SET ROLE $role; " : '') . "\\set VERBOSITY verbose\n$read");

	return $output . $errors;
}

# How often CDMS was shown a wrong password.
sub wrong_passwords
{
	my ($node, $auth) = @_;
	my $told = $node->safe_psql('postgres', $auth eq 'basic' ? 'SELECT * FROM cdms.log()' : "SELECT cdms.control('logins')");

	return scalar(() = $told =~ /401$|refused/mg);
}

my $node = CrmTest::node('cluster', "shared_preload_libraries = 'crm_sync'");
for my $auth ('basic', 'ntlm', 'adfs')
{
	prepare($node, $auth);
	like(read_anew($node), qr/ERROR:  28P01: /, "$auth: the password is wrong");
	is(wrong_passwords($node, $auth), 1, "$auth: which CDMS was told once");
	for (1 .. 5)
	{
		like(read_anew($node),
			qr/ERROR:  28P01: login to server "cdms" was refused\nDETAIL:  Another session was refused.*\nHINT:  It is tried again after 30 seconds, or once/,
			"$auth: another session does not try");
	}
	is(wrong_passwords($node, $auth), 1, "$auth: and CDMS is told nothing more");
	is(read_anew($node, 'regress_crm_ann'), "O'Neil & Sons", "$auth: another mapping is another's");
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'still wrong')");
	like(read_anew($node), qr/ERROR:  28P01: /, "$auth: an altered mapping is tried");
	is(wrong_passwords($node, $auth), 2, "$auth: at once");
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'right')");
	is(read_anew($node), "O'Neil & Sons", "$auth: also with the right one");

	# CDMS's administrator changes the password: who is in stays in while he may.
	my $inside = CrmSession->new($node);
	is($inside->query($read), "O'Neil & Sons", "$auth: somebody is in");
	$node->safe_psql('postgres', "SELECT cdms.fault('status', '--status', '401', '--times', '2')");
	like(read_anew($node), qr/ERROR:  28P01: |ERROR:  HV000: /, "$auth: somebody else is not let in");
	$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
	like(read_anew($node), qr/Another session was refused/, "$auth: nor the next");
	is($inside->query($read), "O'Neil & Sons", "$auth: who is in goes on");
	$inside->close;
}

# Who was in and is refused is as good as who never was: half a minute later one tries.
if ($ENV{CRM_LONG})
{
	prepare($node, 'basic');
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password 'right')");
	my @sessions = map { CrmSession->new($node) } 1 .. 3;
	is($_->query($read), "O'Neil & Sons", 'three are in') for @sessions;
	$node->safe_psql('postgres', "SELECT cdms.control('user', 'clerk', 'changed')");
	$_->query($read) for @sessions;
	is(wrong_passwords($node, 'basic'), 3, 'each finds out that the password has changed');
	sleep 31;
	$_->query($read) for @sessions;
	is(wrong_passwords($node, 'basic'), 4, 'and one tries again');
	$_->close for @sessions;
	$node->safe_psql('postgres', "SELECT cdms.control('user', 'clerk', 'right')");
	sleep 31;
	is(read_anew($node), "O'Neil & Sons", 'after half a minute it is tried again');
}
$node->stop;

# Many requests side by side show a password once that nobody was let in by yet: also
# writes, and also when the first has no answer.
$node = CrmTest::node('session');
for my $auth ('basic', 'ntlm')
{
	prepare($node, $auth);
	$node->safe_psql('postgres', q{
		SET client_min_messages = warning;
		GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_ann;
		GRANT ALL ON SCHEMA crm TO regress_crm_ann;
		ALTER FOREIGN TABLE crm.organisation OWNER TO regress_crm_ann;
		SET ROLE regress_crm_ann;
		SELECT crm_sync.create_store('crm.organisation'), crm_sync.pull('crm.organisation')});
	for my $fault ('', "SELECT cdms.fault('reset-before', '--verb', 'POST');", "SELECT cdms.fault('status', '--status', '503', '--verb', 'POST');")
	{
		my $what = $fault =~ /'(\S+)', '--(?:verb|status)/ ? $1 : 'nothing';

		$node->safe_psql('postgres', "SELECT cdms.control('logins', '--clear'), cdms.log_clear(); $fault");
		my (undef, undef, $errors) = $node->psql('postgres',
			q{\set VERBOSITY verbose
			  INSERT INTO crm.organisation (name) SELECT 'New ' || n FROM generate_series(1, 10) n});
		like($errors, qr/ERROR:  28P01: |ERROR:  HV000: .*401/s, "$auth: ten rows with a wrong password, $what befalls the first");
		is(wrong_passwords($node, $auth), 1, "$auth: which is shown once");
		$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
	}
	is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.organisation_store WHERE name LIKE 'New%'}), '0', "$auth: none is there");
}
$node->safe_psql('postgres', 'DROP SCHEMA crm CASCADE');

# Without preloading each session knows its own refusals only.
prepare($node, 'basic');
my $session = CrmSession->new($node);
$session->query($read);
is(wrong_passwords($node, 'basic'), 1, 'not preloaded: a session tries');
$session->query($read);
is(wrong_passwords($node, 'basic'), 1, 'once');
like(read_anew($node), qr/ERROR:  28P01: /, 'another tries, too');
is(wrong_passwords($node, 'basic'), 2, 'once');
$session->close;

done_testing();
