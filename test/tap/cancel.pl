# Cancel, statement_timeout, commit_timeout, termination and the death of the
# postmaster act at any moment of a request, and leave nothing behind.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use IO::Socket::INET;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

# The promise is 100 ms; a loaded machine may need longer to give the test its
# turn.  The times are printed.
my $margin = 2 * CrmTest::SLOWER;

my $node = CrmTest::node('cancel');
my $url = $node->safe_psql('postgres', 'SELECT cdms.url()');

$node->safe_psql('postgres', q{
	SELECT cdms.create_server();
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

# Waits until CDMS hangs on to this many requests.
sub wait_for_hangs
{
	my ($count) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) >= $count FROM cdms.log() WHERE log LIKE '%-> hang%' OR log LIKE '%drip'");
}

# Waits until the session's process sleeps in a request.
sub wait_for_wait
{
	my ($session) = @_;
	return $node->poll_query_until('postgres',
		"SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = " . $session->pid);
}

sub is_prompt
{
	my ($seconds, $title) = @_;

	diag(sprintf '%s: %.0f ms', $title, $seconds * 1000) if defined $seconds;
	ok(defined $seconds && $seconds < $margin, $title);
	return;
}

# ----------------------------------------------------- where a request can be

# A port at which connections are not answered: its queue of one is full.
my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1, Proto => 'tcp')
  or die "no socket: $!";
listen($deaf, 0);
my @callers;
for (1 .. 3)
{
	socket(my $caller, PF_INET, SOCK_STREAM, 0) or die "no socket: $!";
	$caller->blocking(0);
	connect($caller, pack_sockaddr_in($deaf->sockport, inet_aton('127.0.0.1')));
	push @callers, $caller;
}
my $deaf_url = 'http://127.0.0.1:' . $deaf->sockport . '/UKTI';

my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my @places = (
	{
		name => 'connecting',
		enter => sub { $node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url '$deaf_url')") },
		leave => sub { $node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url '$url')") },
		sql => "SELECT name FROM crm.direct WHERE id = '$key';\n"
	},
	{
		name => 'waiting for headers',
		enter => sub { control('fault', 'hang', '--forever') },
		sql => "SELECT name FROM crm.synced WHERE id = '$key';\n"
	},
	{
		name => 'dripping body',
		enter => sub { control('fault', 'drip', '--ms', '50', '--forever') },
		sql => "SELECT name FROM crm.direct;\n"
	},
	{
		name => 'waiting for an object in COMMIT',
		enter => sub { control('fault', 'hang', '--verb', 'GET', '--forever') },
		sql => "UPDATE crm.synced_store SET name = 'x' WHERE id = '$key';\n",
		commit => 1
	},
	{
		name => 'waiting for a write in COMMIT',
		enter => sub { control('fault', 'hang', '--verb', 'MERGE', '--forever') },
		sql => "UPDATE crm.synced_store SET name = 'x' WHERE id = '$key';\n",
		commit => 1
	});

for my $place (@places)
{
	my $where = $place->{name};
	my $session = CrmSession->new($node);
	my $name = "O'Neil & Sons";

	$place->{enter}->();

	# cancel: SIGINT is what pg_cancel_backend sends
	$session->send($place->{sql} . "SELECT extract(epoch FROM clock_timestamp());\n");
	wait_for_wait($session);
	my $began = time;
	kill 'INT', $session->pid;
	is_prompt($session->finish - $began, "cancel, $where");
	like($session->errors, qr/canceling statement due to user request/, 'and it says so');

	# statement_timeout does not reach into COMMIT
	if (!$place->{commit})
	{
		$session->send("SET statement_timeout = '300ms';\nSELECT extract(epoch FROM clock_timestamp());\n"
			  . $place->{sql} . "SELECT extract(epoch FROM clock_timestamp());\nRESET statement_timeout;\n");
		my ($first, $last) = split /\n/, $session->finish;
		is_prompt($last - $first - 0.3, "statement_timeout, $where");
		like($session->errors, qr/canceling statement due to statement timeout/, 'and it says so');
	}
	else
	{
		$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD commit_timeout '300ms')");
		$session->send("SELECT extract(epoch FROM clock_timestamp());\n" . $place->{sql}
			  . "SELECT extract(epoch FROM clock_timestamp());\n");
		my ($first, $last) = split /\n/, $session->finish;
		is_prompt($last - $first - 0.3, "commit_timeout, $where");
		like($session->errors, qr/timed out\nHINT:  The limit is the option "commit_timeout"/,
			'and it says so');
		$node->safe_psql('postgres', 'ALTER SERVER cdms OPTIONS (DROP commit_timeout)');
	}

	# The session goes on, with the store as it was.
	control('fault', 'clear');
	$place->{leave}->() if $place->{leave};
	is($session->query("SELECT name FROM crm.synced WHERE id = '$key'"), $name, "next query, $where");
	is($session->errors, '', 'without a word');

	# terminate: SIGTERM is what pg_terminate_backend sends
	$place->{enter}->();
	$session->send($place->{sql});
	wait_for_wait($session);
	kill 'TERM', $session->pid;
	is_prompt($session->gone_after(5 * CrmTest::SLOWER), "terminate, $where");

	control('fault', 'clear');
	$place->{leave}->() if $place->{leave};
	is($node->safe_psql('postgres', "SELECT name FROM crm.synced WHERE id = '$key'"),
		$name, "others go on, $where");
	$session->close;
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing is left to be sent');

# A reader that sends what is pending has a COMMIT with the same limit.
$node->safe_psql('postgres', "
	SET crm_sync.mode = local;
	INSERT INTO crm.synced SELECT gen_random_uuid(), 'pending' FROM generate_series(1, 3)");
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD commit_timeout '300ms')");
control('fault', 'hang', '--verb', 'POST', '--forever');
my $reader = CrmSession->new($node);
$reader->send("SELECT extract(epoch FROM clock_timestamp());\n"
	  . "SELECT name FROM crm.synced WHERE id = '$key';\nSELECT extract(epoch FROM clock_timestamp());\n");
my ($read_began, $read_name, $read_ended) = split /\n/, $reader->finish;
is($read_name, "O'Neil & Sons", 'a reader has its answer');
is_prompt($read_ended - $read_began - 0.3, 'commit_timeout, sending pending rows');
$reader->close;
control('fault', 'clear');
$node->safe_psql('postgres', 'ALTER SERVER cdms OPTIONS (DROP commit_timeout)');

# --------------------------------------------- the connection's own time limit

$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url '$deaf_url', ADD connect_timeout '300ms')");
my ($status, $output, $errors) = $node->psql('postgres', 'SELECT name FROM crm.direct');
like($errors, qr/timed out\nHINT:  The limit is the option "connect_timeout"/,
	'the port did not accept connections');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url '$url', DROP connect_timeout)");
close $_ for @callers, $deaf;

# ------------------------------------------------------------- a thousand times

my $times = 1000 / CrmTest::SLOWER;
my $session = CrmSession->new($node);

# Statements that are cancelled, in turn passing through and synchronising.
sub cancel_statements
{
	my ($times) = @_;

	$session->send('SET statement_timeout = ' . 10 * CrmTest::SLOWER . ";\n");
	$session->send("SELECT format('SELECT name FROM crm.%I WHERE id = %L', "
		  . "CASE n % 2 WHEN 0 THEN 'direct' ELSE 'synced' END, '$key') "
		  . "FROM generate_series(1, $times) n \\gexec\n");
	$session->send("RESET statement_timeout;\n");
	is($session->finish, '', "$times statements, no row");

	my @errors = split /\n/, $session->errors;
	my @canceled = grep { /canceling statement due to statement timeout/ } @errors;
	is(scalar @canceled, $times, "$times cancelled statements");
	is(scalar @errors, $times, 'and no other word');
	return;
}

my $contexts = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';

is($session->query("SELECT name FROM crm.synced WHERE id = '$key'"), "O'Neil & Sons", 'before it all');
control('fault', 'hang', '--forever');
cancel_statements(50);
my $memory = $session->query($contexts);
my $descriptors = $session->descriptors;
my $resident = $session->memory;
control('log', 'clear');

my $began = time;
cancel_statements($times);
diag(sprintf '%d cancels: %.1f s', $times, time - $began);

cmp_ok(control('log', '--count'), '>', 0.9 * $times, 'CDMS had most of the requests');
is($session->descriptors, $descriptors, 'no descriptor was left open');
my $more = $session->query($contexts) - $memory;
diag("memory contexts: $more bytes more; resident: " . ($session->memory - $resident) . ' kB more');
cmp_ok($more, '<', 65536, 'no memory context grew');
cmp_ok($session->memory - $resident, '<', 2048, 'the process did not grow');
ok( $node->poll_query_until('postgres', "SELECT cdms.control('connections') LIKE '0 open,%'"),
	'CDMS saw all its connections closed');

control('fault', 'clear');
is($session->query("SELECT name FROM crm.synced WHERE id = '$key'"), "O'Neil & Sons", 'the next query');
is($session->query("SELECT name FROM crm.direct WHERE id = '$key'"), "O'Neil & Sons", 'the next query, passed through');
is($session->errors, '', 'without a word');

# ------------------------------------------------------ the postmaster's death

control('log', 'clear');
control('fault', 'hang', '--forever');
$session->send("SELECT name FROM crm.synced WHERE id = '$key';\n");
wait_for_hangs(1);
$node->kill9;
my $seconds = $session->gone_after(5 * CrmTest::SLOWER);
diag(sprintf 'death of the postmaster: %.0f ms', $seconds * 1000) if defined $seconds;
ok(defined $seconds && $seconds < CrmTest::SLOWER, 'the process that waited for CDMS has gone within a second');
$session->close;

done_testing();
