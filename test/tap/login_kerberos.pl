# auth 'negotiate': CDMS stands behind Apache with mod_auth_gssapi, tickets come
# from an MIT KDC.  The server's own ticket or keytab logs in; it is lent to
# superusers, and to those whom a superuser trusts with it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmServer;
use CrmSession;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = CrmServer::directory('kerberos');

CrmServer::kerberos($dir, 'crm_sync', 'stranger');
CrmServer::run('kinit', '-k', '-t', "$dir/crm_sync.keytab", 'crm_sync');

my $node = CrmTest::node('kerberos', 'log_min_messages = debug5', "log_statement = 'none'");
my $port = CrmServer::port();
my $simulator = $node->safe_psql('postgres', 'SELECT port FROM cdms.simulator');

CrmServer::write_file("$dir/apache.conf",
	CrmServer::apache($dir, $port, 'authn_core', 'authz_user', 'headers', 'auth_gssapi') . <<"END");
ProxyPass / http://127.0.0.1:$simulator/
ProxyPreserveHost On
<Location />
	AuthType GSSAPI
	AuthName "CDMS"
	GssapiCredStore keytab:$dir/http.keytab
	GssapiAllowedMech krb5
	Require valid-user
	RequestHeader set X-Remote-User expr=%{REMOTE_USER}
</Location>
END
my $apache = CrmServer::start($port, 'apache2', '-X', '-f', "$dir/apache.conf");

# Everything that a client is told.
my $told = '';

sub sql
{
	my ($sql) = @_;
	my ($status, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql",
		on_error_stop => 0);

	$told .= "$output\n$error\n";
	return $status == 0 && $error eq '' ? $output : "$output$error";
}

# The same for somebody who wants to be told everything.
sub curious
{
	my ($sql) = @_;

	return sql("SET client_min_messages = debug5; SET crm_sync.log_requests = 'notice';\n$sql");
}

my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my $read = "SELECT name FROM crm.organisation WHERE id = '$key'";

# The users that CDMS saw since the log was cleared.
sub users
{
	return $node->safe_psql('postgres', q{
		SELECT string_agg(DISTINCT split_part(line, ': ', 1), ',')
		FROM regexp_split_to_table(cdms.control('log', '--users'), E'\n') AS line});
}

$node->safe_psql('postgres', qq{
	SELECT cdms.control('user', 'crm_sync\@CRM.TEST', 'x'), cdms.switch('login', 'header');
	CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync
		OPTIONS (url 'http://localhost:$port/UKTI', auth 'negotiate', format '@{[ $ENV{CRM_FORMAT} || 'json' ]}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER cdms;
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.organisation (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.organisation');
});

# What logged in, as Apache hands it on to CDMS; before the log is cleared.
my @tickets;

sub note_tickets
{
	push @tickets, $node->safe_psql('postgres', q{SELECT cdms.control('log', '--raw')})
	  =~ /^\s*Authorization: Negotiate (\S+)/mg;
	return;
}

# ---------------------------------------------------------------- a ticket

is(sql($read), "O'Neil & Sons", 'the ticket in the credential cache logs in');
is(users(), 'crm_sync@CRM.TEST', 'as its principal');
is(sql("SELECT crm_sync.pull('crm.organisation')"), '499', 'page after page');
curious($read);
note_tickets();
$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
is(sql("UPDATE crm.organisation SET name = 'Changed' WHERE id = '$key'"), '', 'writes are logged in, too');
is(sql("SELECT count(*) FROM cdms.log('MERGE')"), '1', 'and leave once');
is(sql("SELECT cdms.get('Account', '$key', 'Name')"), 'Changed', 'with their body');

# ------------------------------------------------- a login that is forgotten

my $session = CrmSession->new($node);

# The session reads and writes; each write reaches CDMS and is carried out once.
sub goes_on
{
	my ($name, $value, $before) = @_;

	$node->safe_psql('postgres', "SELECT cdms.log_clear(); $before->{GET}");
	like($session->query($read), qr/^Changed/, "$name: it reads on");
	$node->safe_psql('postgres', $before->{MERGE});
	is($session->query("UPDATE crm.organisation SET name = '$value' WHERE id = '$key'"), '', "$name: it writes");
	is(sql("SELECT count(*) FROM cdms.log('MERGE') AS line WHERE line LIKE '%204'"), '1', "$name: once");
	is(sql("SELECT cdms.get('Account', '$key', 'Name')"), $value, "$name: with its body");
	return;
}

goes_on('a session', 'Changed 1', { GET => '', MERGE => '' });
CrmServer::stop($apache);
$apache = CrmServer::start($port, 'apache2', '-X', '-f', "$dir/apache.conf");
goes_on('Apache was started again', 'Changed 2', { GET => '', MERGE => '' });

# CDMS asks again on a connection that is logged in.
my %lost = map { $_ => "SELECT cdms.fault('status', '--verb', '$_', '--status', '401', '--header', 'WWW-Authenticate: Negotiate')" } 'GET', 'MERGE';
goes_on('the login was forgotten', 'Changed', \%lost);
$session->close;

# ------------------------------------------------------- to whom it is lent

$node->safe_psql('postgres', qq{
	CREATE ROLE regress_crm_user;
	GRANT USAGE, CREATE ON SCHEMA crm TO regress_crm_user;
	GRANT USAGE ON FOREIGN SERVER cdms TO regress_crm_user;
	CREATE USER MAPPING FOR regress_crm_user SERVER cdms OPTIONS (username 'crm_sync', password 'his own');
	SET ROLE regress_crm_user;
	CREATE FOREIGN TABLE crm.his (id uuid OPTIONS (property 'AccountId') NOT NULL) SERVER cdms OPTIONS (entity 'Account');
	RESET ROLE;
	SELECT cdms.log_clear()});

my $his = 'SET ROLE regress_crm_user; SELECT count(*) FROM crm.his';

like(sql($his), qr/ERROR:  2F003: password is required.*server's own ticket.*HINT:  A superuser can/s,
	'it is not lent to somebody without a login of his own, whatever his mapping says');
is(sql('SELECT cdms.requests()'), '0', 'who makes CDMS hear nothing');
like(sql("SET ROLE regress_crm_user; ALTER USER MAPPING FOR regress_crm_user SERVER cdms OPTIONS (ADD password_required 'false')"),
	qr/ERROR:  42501: only a superuser may set option "password_required"/, 'nor does he lend it to himself');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR regress_crm_user SERVER cdms OPTIONS (ADD password_required 'false')");
is(sql($his), '500', 'but to whom a superuser trusts with it');
$node->safe_psql('postgres', 'DROP USER MAPPING FOR regress_crm_user SERVER cdms');
like(sql($his), qr/ERROR:  42704: user mapping not found/, 'and not without a mapping');

# --------------------------------------------------------------- no ticket

CrmServer::run('kinit', '-k', '-t', "$dir/stranger.keytab", 'stranger');
note_tickets();
$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
like(sql($read), qr/ERROR:  28P01: could not read AccountSet.*CDMS answered 401/s,
	'a principal that CDMS does not know is refused');
cmp_ok(sql('SELECT cdms.requests()'), '<', 10, 'and not asked for its ticket again and again');
CrmServer::run('kdestroy');
note_tickets();
$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
curious($read);
my $error = sql("$read;\n$read");
like($error, qr/ERROR:  28P01: could not read AccountSet.*CDMS answered 401/s, 'without a ticket nobody is let in');
like($error, qr/ERROR:  28P01: login to server "cdms" was refused.*tried again after/s, 'which is not tried again at once');
is(sql('SELECT cdms.requests()'), '0', 'and does not reach CDMS');

# How long a refusal is remembered.
if ($ENV{CRM_LONG})
{
	my $session = CrmSession->new($node);

	$session->query($read);
	CrmServer::run('kinit', '-k', '-t', "$dir/crm_sync.keytab", 'crm_sync');
	is($session->query($read), '', 'a session remembers that it was refused');
	sleep 31;
	is($session->query($read), 'Changed', 'for half a minute');
	$session->close;
	CrmServer::run('kdestroy');
}

# -------------------------------------------------------------- the keytab

$ENV{KRB5_CLIENT_KTNAME} = "FILE:$dir/crm_sync.keytab";
$node->stop;
$node->start;
is(sql($read), 'Changed', 'with a keytab the server gets tickets by itself');

# --------------------------------------------------------------- what is told

like(curious($read), qr/^Changed.*NOTICE: .*crm_sync: GET http:/s, 'who asks for it is told of the request');
my $log = slurp_file($node->logfile);
note_tickets();
cmp_ok(scalar @tickets, '>', 20, 'tickets were sent');
is(scalar(grep { index($log, $_) >= 0 } @tickets), 0, 'none of them was logged');
is(scalar(grep { index($told, $_) >= 0 } @tickets), 0, 'nor was a client told one');
unlike("$log$told", qr/Negotiate/, 'nor the header that carries it');

done_testing();
