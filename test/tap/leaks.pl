# Whatever goes wrong between here and CDMS, again and again in one session:
# reads by key, whole reads and COMMITs leave nothing behind.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $times = $ENV{CRM_LONG} ? 200 : 6;

my $node = CrmTest::node('leaks');
my $key = 'aaaaaaaa-0000-4000-8000-000000000001';

$node->safe_psql('postgres', qq{
	SELECT cdms.create_server();
	ALTER SERVER cdms OPTIONS (SET max_connections '4', ADD max_retries '0',
		ADD request_timeout '10s', ADD commit_timeout '@{[2 * CrmTest::SLOWER]}s', ADD max_response_size '1MB');
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.direct (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	CREATE FOREIGN TABLE crm.synced (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.synced');
	SELECT count(*) FROM crm.synced;
});

sub control
{
	my @words = map { "'$_'" } @_;
	return $node->safe_psql('postgres', 'SELECT cdms.control(' . join(', ', @words) . ')');
}

# Every fault that the simulator has. What hangs ends at request_timeout.
my $moment = 20 * CrmTest::SLOWER;    # ms
my @slow = (
	[ 'hang' ],
	[ 'hang-after' ],
	[ 'drip', '--ms', '30' ],
	[ 'delay', '--ms', 3 * $moment ],
	[ 'raw', '--body', 'HTTP/1.1 200' ],
	[ 'length', '--delta', '10' ]);
my @quick = (
	[ 'reset-before' ],
	[ 'close-before' ],
	[ 'cut', '--bytes', '20' ],
	[ 'reset-after' ],
	[ 'close-after' ],
	[ 'gzip-garbage' ],
	[ 'huge', '--mb', '2' ],
	[ 'login' ],
	[ 'echo', '--as', 'html', '--status', '400' ],
	[ 'status', '--status', '404', '--body', 'nothing' ],
	[ 'status', '--status', '401' ],
	[ 'status', '--status', '503' ]);

# By key and whole, passing through and synchronising; these fail each time.
my @reads = (
	"SELECT name FROM crm.synced WHERE id = '$key';",
	'SELECT count(name) FROM crm.direct;',
	'SELECT count(name) FROM crm.synced;');

# Two objects, so that something is to be undone. It may succeed: an answer that
# was lost is found out.
my @commits = (
	'UPDATE crm.synced_store SET name = md5(random()::text) '
	  . "WHERE id IN ('$key', 'aaaaaaaa-0000-4000-8000-000000000003');");

my $session = CrmSession->new($node);

# Runs the statements in turn, so often; how many failed.
sub failures
{
	my ($count, @statements) = @_;

	$session->send(join("\n", map { $statements[ $_ % @statements ] } 1 .. $count) . "\n");
	$session->finish;
	return scalar(() = $session->errors =~ /ERROR: /g);
}

sub request_timeout
{
	my ($time) = @_;
	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET request_timeout '$time')");
	return;
}

sub try_faults
{
	my ($count, @faults) = @_;

	for my $fault (@faults)
	{
		control('fault', @$fault, '--verb', 'GET', '--forever');
		is(failures($count, @reads), $count, "@$fault: $count reads fail");
		control('fault', 'clear');
		control('fault', @$fault, '--verb', 'MERGE', '--forever');
		failures($count, @commits);
		control('fault', 'clear');
	}
	return;
}

sub try_all
{
	my ($count) = @_;

	request_timeout("${moment}ms");
	try_faults($count, @slow);
	request_timeout('10s');
	try_faults($count, @quick);
	return;
}

my $contexts = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';

try_all(1);
my $memory = $session->query($contexts);
my $descriptors = $session->descriptors;
my $resident = $session->memory;

control('log', 'clear');
try_all($times);
cmp_ok(control('log', '--count', '--verb', 'MERGE'), '>=', $times * (@slow + @quick), 'COMMITs were sent');

# The same with each login, whose pages, challenges and cookies are to be freed, too.
# Not 401: what is refused is remembered, and not sent again.
my %logins = (
	ntlm => q{ALTER SERVER cdms OPTIONS (ADD auth 'ntlm')},
	adfs => sprintf(q{ALTER SERVER cdms OPTIONS (SET auth 'adfs', ADD adfs_url %s)},
		q{'} . $node->safe_psql('postgres', q{SELECT replace(replace(cdms.url(), '127.0.0.1', 'localhost'), 'UKTI', 'adfs/ls/')}) . q{'}));

control('user', 'UKTI\owner', 'sEcret');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (ADD username 'UKTI\owner', ADD password 'sEcret')});
for my $login (qw(ntlm adfs))
{
	control('switch', 'login', $login);
	$node->safe_psql('postgres', $logins{$login});
	is($session->query('SELECT count(name) > 0 FROM crm.direct'), 't', "logged in by $login");
	for my $fault (grep { "@$_" !~ /401/ } @quick)
	{
		control('fault', @$fault, '--verb', 'GET', '--forever');
		is(failures($times, @reads), $times, "$login, @$fault: $times reads fail");
		control('fault', 'clear');
	}
}

# The connections that are kept for the next request are not left open.
cmp_ok($session->descriptors, '<=', $descriptors + 4, 'no descriptor was left open');
my $more = $session->query($contexts) - $memory;
my $grown = $session->memory - $resident;
diag("memory contexts: $more bytes more; resident: $grown kB more");
cmp_ok($more, '<', 131072, 'no memory context grew');
cmp_ok($grown, '<', 4096, 'the process did not grow');

$session->errors;
is($session->query('SELECT count(*) FROM crm.direct'), '500', 'the next query');
is($session->errors, '', 'without a word');
$session->close;

done_testing();
