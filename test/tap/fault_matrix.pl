# The fault matrix: a transaction of five changes, whose COMMIT fails at each of its
# requests in each way.  Whatever happens, afterwards all of the five are in both
# systems or none in either, and the client was told which.
#
# A case is a mode (change sets or not, one connection or four), a fault, and the
# request that it strikes.  With CRM_LONG=1 all of them, otherwise each ninth.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmControl;
use CrmSession;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $stride = $ENV{CRM_LONG} ? 1 : 9;    # has no factor in common with the cases of one fault
my $node = CrmTest::node('fault_matrix', 'restart_after_crash = on');
my $cdms = CrmControl->new($node, 'postgres');
my $patience = 60 * CrmTest::SLOWER;    # seconds, for what must happen at last
my $limit = 400 * CrmTest::SLOWER;      # ms, for a request

# Name, option "batch", the simulator's switch, max_connections.
my @modes = (
	map { my ($batch, $switch) = @$_; map { [ "batch $batch/$switch, $_ connections", $batch, $switch, $_ ] } 1, 4 }
	  [ 'off', 'off' ], [ 'on', 'atomic' ], [ 'on', 'not-atomic' ]);

# What strikes the k-th request: a fault of the simulator, or something that happens
# to the session while that request hangs.
my @faults = (
	{ name => 'connection refused', door => 1 },
	{ name => 'reset before', fault => ['reset-before'] },
	{ name => 'reset before, for good', fault => [ 'reset-before', '--forever' ] },
	{ name => 'reset after the write', fault => ['reset-after'] },
	{ name => 'reset after the write, for good', fault => [ 'reset-after', '--forever' ] },
	{ name => 'hang', fault => ['hang'] },
	{ name => 'hang after the write', fault => [ 'hang-after', '--times', '2' ] },
	{ name => 'cut answer', fault => [ 'cut', '--bytes', '20' ] },
	{ name => '400', fault => [ 'status', '--status', '400', '--body', 'no' ] },
	{ name => '401', fault => [ 'status', '--status', '401' ] },
	{ name => '404', fault => [ 'status', '--status', '404' ] },
	{ name => '500', fault => [ 'status', '--status', '500', '--body', 'no' ] },
	{ name => '503 Retry-After', fault => [ 'status', '--status', '503', '--retry-after', '0' ] },
	{ name => '503 Retry-After, for good', fault => [ 'status', '--status', '503', '--retry-after', '0', '--forever' ] },
	{ name => 'HTML 200', fault => ['login'] },
	{ name => 'statement cancel', fault => ['hang-after'], during => \&cancel },
	{ name => 'pg_terminate_backend', fault => ['hang-after'], during => \&terminate },
	{ name => 'SIGKILL', fault => ['hang-after'], during => \&kill_session, rare => 1 },
	{ name => 'immediate shutdown', fault => ['hang-after'], during => \&crash, rare => 1 },
);

my ($session, $mode, $sockets);
my %kinds;      # of requests that were struck
my %outcomes;

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# ------------------------------------------------------------ the two systems

my ($url) = map { "http://127.0.0.1:$_/UKTI" } $cdms->run('door', 'open');

sql(qq{
	SELECT cdms.create_server(\$\$ batch 'off', max_connections '1', max_retries '1',
		request_timeout '${limit}ms', connect_timeout '@{[2 * CrmTest::SLOWER]}s', overlap '10s' \$\$);
	ALTER SERVER cdms OPTIONS (SET url '$url');
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id       uuid OPTIONS (property 'AccountId') NOT NULL,
		name     text OPTIONS (property 'Name'),
		alias    text OPTIONS (property 'optevia_Alias'),
		contact  uuid OPTIONS (property 'PrimaryContactId', type 'EntityReference', target 'contact'),
		modified timestamptz OPTIONS (property 'ModifiedOn')
	) SERVER cdms OPTIONS (entity 'Account');
	CREATE FOREIGN TABLE crm.contact (
		id       uuid OPTIONS (property 'ContactId') NOT NULL,
		last     text OPTIONS (property 'LastName'),
		parent   uuid OPTIONS (property 'ParentCustomerId', type 'EntityReference', target 'account'),
		modified timestamptz OPTIONS (property 'ModifiedOn')
	) SERVER cdms OPTIONS (entity 'Contact');
	SELECT crm_sync.create_store('crm.account'), crm_sync.create_store('crm.contact');
	SELECT count(*) FROM crm.account;
	SELECT count(*) FROM crm.contact;
});

# An object of case n; what: 1 and 2 are created, 3 and 4 changed, 5 deleted.
sub key
{
	my ($n, $what) = @_;
	return sprintf('%08x-0000-4000-8000-%012d', 0x10000000 + $n, $what);
}

# What cases from..to change and delete.
sub prepare
{
	my ($from, $to) = @_;
	for my $of ([ 'account', 'name', 3 ], [ 'contact', 'last', 4 ], [ 'account', 'name', 5 ])
	{
		my ($table, $column, $what) = @$of;
		sql(qq{INSERT INTO crm.$table (id, $column) SELECT k::uuid, 'before' FROM (VALUES }
			  . join(', ', map { "('" . key($_, $what) . "')" } $from .. $to)
			  . ') v (k)');
	}
	return;
}

sub changes
{
	my ($n) = @_;
	my ($account, $contact, $changed, $other, $deleted) = map { key($n, $_) } 1 .. 5;

	return qq{
		INSERT INTO crm.account (id, name, contact) VALUES ('$account', 'New', '$contact');
		INSERT INTO crm.contact (id, last, parent) VALUES ('$contact', 'New', '$account');
		UPDATE crm.account_store SET alias = 'after' WHERE id = '$changed';
		UPDATE crm.contact_store SET last = 'after' WHERE id = '$other';
		DELETE FROM crm.account_store WHERE id = '$deleted';};
}

# What CDMS has of case n's five: all of the changes, none, or else something.
sub there
{
	my ($n) = @_;
	my ($account, $contact, $changed, $other, $deleted) =
	  map { scalar $cdms->record(@$_) }
	  [ 'Account', key($n, 1) ], [ 'Contact', key($n, 2) ], [ 'Account', key($n, 3) ],
	  [ 'Contact', key($n, 4) ], [ 'Account', key($n, 5) ];

	return summary(
		$account ? join(' ', @$account{qw(Name PrimaryContactId)}) : '-',
		$contact ? join(' ', @$contact{qw(LastName ParentCustomerId)}) : '-',
		$changed ? join(' ', @$changed{qw(Name optevia_Alias)}) : '-',
		$other ? $other->{LastName} : '-',
		$deleted ? $deleted->{Name} : '-', $n);
}

# What this side has of them, asked for by key, as the next user would.
sub here
{
	my ($n) = @_;
	my $keys = join ', ', map { "'" . key($n, $_) . "'" } 1 .. 5;
	my $end = time + $patience;
	my ($status, $out, $err);

	do
	{
		($status, $out, $err) = $node->psql('postgres', qq{
			SELECT right(id::text, 1), concat_ws(' ', name, CASE WHEN id = '@{[key($n, 1)]}' THEN coalesce('contact ' || contact, 'null') END,
				CASE WHEN id = '@{[key($n, 3)]}' THEN coalesce(alias, 'null') END) FROM crm.account WHERE id IN ($keys);
			SELECT right(id::text, 1), concat_ws(' ', last, CASE WHEN id = '@{[key($n, 2)]}' THEN coalesce('account ' || parent, 'null') END)
				FROM crm.contact WHERE id IN ($keys);}, on_error_stop => 1);
	} while ($status && time < $end);
	die "the next use fails: $err" if $status;
	my %objects = map { split /\|/, $_, 2 } split /\n/, $out;
	return summary((map { $objects{$_} // '-' } 1 .. 5), $n);
}

sub summary
{
	my $n = pop;
	my $state = join ', ', @_;
	my $all = 'New contact ' . key($n, 2) . ', New account ' . key($n, 1) . ', before after, after, -';

	return $state eq $all ? 'all' : $state eq '-, -, before null, before, before' ? 'none' : $state;
}

# Each version of an object follows on the one before, and the last is the store's row.
sub broken_history
{
	my ($keys) = @_;
	return sql(qq{
		WITH version AS (
			SELECT key, store, before, after, lag(after) OVER w AS former, lead(id) OVER w IS NULL AS last,
				lag(id) OVER w IS NULL AS first
			FROM crm_sync.history WHERE key IN ($keys) WINDOW w AS (PARTITION BY store, key ORDER BY id)
		), stored AS (
			SELECT id, to_jsonb(s) AS now FROM crm.account_store s WHERE id IN ($keys)
			UNION ALL SELECT id, to_jsonb(s) FROM crm.contact_store s WHERE id IN ($keys)
		)
		SELECT count(*) FROM version v FULL JOIN stored s ON s.id = v.key
		WHERE v.key IS NULL OR NOT first AND before IS DISTINCT FROM former OR last AND after IS DISTINCT FROM now});
}

# ---------------------------------------------------------------- the session

sub mode
{
	my ($new) = @_;

	return if $mode && $mode == $new;
	$mode = $new;
	sql("ALTER SERVER cdms OPTIONS (SET batch '$mode->[1]', SET max_connections '$mode->[3]')");
	$cdms->run('switch', 'batch', $mode->[2]);
	return;
}

sub sockets
{
	return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob('/proc/' . $session->pid . '/fd/*');
}

sub connected
{
	return if $session && eval { $session->query('SELECT 1') eq '1' };
	$session->close if $session;
	$session = CrmSession->new($node);
	# A request makes libcurl open those that it has in any case.
	$session->query("SELECT FROM crm.account WHERE id = '" . key(0, 1) . "'");
	$sockets = sockets();
	return;
}

sub cancel
{
	sql('SELECT pg_cancel_backend(' . $session->pid . ')');
	return;
}

sub terminate
{
	sql('SELECT pg_terminate_backend(' . $session->pid . ')');
	return;
}

# A restart of all processes; whoever is connected meanwhile is thrown out.  The log
# tells when it is over: a psql that is refused while its query is still being written
# would end the test.
sub kill_session
{
	my $so_far = -s $node->logfile;

	kill 'KILL', $session->pid;
	$session->gone_after($patience);
	eval { $session->finish };
	$node->wait_for_log(qr/database system is ready to accept connections/, $so_far);
	return;
}

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

# ------------------------------------------------------------------ one case

# The log shows a request when it is answered, or hangs.
sub struck
{
	my $end = time + $patience;

	while (time < $end)
	{
		return 1 if grep { /hang$/ } $cdms->run('log');
		sleep 0.02;
	}
	return;
}

sub inject
{
	my ($fault, $k) = @_;

	if (!$fault->{door})
	{
		$cdms->run('fault', @{ $fault->{fault} }, '--skip', $k - 1);
	}
	elsif ($k == 1)
	{
		$cdms->run('door', 'close');
	}
	else
	{
		$cdms->run('fault', 'do-after', '--skip', $k - 2, '--command', 'door close');
	}
	return;
}

# What the client was told: an SQLSTATE, or "lost".
sub commit
{
	my ($fault) = @_;
	my $told;

	$session->errors;
	$session->begin("COMMIT;\n\\echo :SQLSTATE\n");
	if ($fault && $fault->{during})
	{
		struck() or return 'no request was struck';
		$fault->{during}->();
	}
	eval { $told = $session->finish } or return 'lost';
	return $told;
}

sub run_changes
{
	my ($n, $fault, $k) = @_;

	connected();
	$session->query('BEGIN; ' . changes($n));
	$cdms->run('log', 'clear');
	inject($fault, $k) if $fault;
	my $told = commit($fault);
	my @requests = $cdms->run('log');
	$cdms->run('fault', 'clear');
	$cdms->run('door', 'open');
	return ($told, map { /^(\S+ \$?\w+)/ } @requests);
}

# Empty where all is well.
sub wrong
{
	my ($n, $told) = @_;
	my $here = eval { here($n) } // $@;
	my $there = there($n);
	my $keys = join ', ', map { "'" . key($n, $_) . "'" } 1 .. 5;
	my @wrong;

	$outcomes{$told}++;
	push @wrong, "here: $here" if $here !~ /^(all|none)$/;
	push @wrong, "there: $there" if $there ne $here;
	push @wrong, "told $told, but $here" if $told ne 'lost' && ($told eq '00000') != ($here eq 'all');
	push @wrong, 'history' if broken_history($keys) ne '0';
	my $left = sql(q{
		SELECT concat((SELECT 'pending ' || count(*) FROM crm_sync.pending HAVING count(*) > 0),
			(SELECT ' failed ' || min(last_error) FROM crm_sync.failed WHERE last_error NOT LIKE '%what CDMS sets itself%'),
			(SELECT ' unresolved ' || sum(unresolved) FROM crm_sync.status HAVING sum(unresolved) > 0))});
	push @wrong, $left if $left ne '';
	return @wrong;
}

sub leaks
{
	my $open = $session->gone_after(0) ? 0 : sockets();
	return $open > $sockets + $mode->[3] ? "$open sockets, $sockets before" : ();
}

# ------------------------------------------------------------------ all cases

my $n = 0;
prepare(0, $#modes);

# Which requests a COMMIT makes, mode by mode.
my @requests = map {
	mode($_);
	my ($told, @made) = run_changes($n);
	is($told . join(', ', wrong($n++, $told)), '00000', "$_->[0]: goes through");
	[@made];
} @modes;

my @cases;
for my $fault (@faults)
{
	my @of = map { my $m = $_; map { [ $fault, $m, $_ ] } 1 .. @{ $requests[$m] } } 0 .. $#modes;
	push @cases, @of;
}
my $all = @cases;
@cases = grep { is_chosen($_) } @cases if $stride > 1;

# Of those that restart the server fewer.
sub is_chosen
{
	my ($case) = @_;
	our %count;
	my $kind = $case->[0]{rare} ? 'rare' : 'ordinary';
	return $count{$kind}++ % ($kind eq "rare" ? 2 * $stride - 1 : $stride) == 3;
}

# By mode, for each change of options makes all sessions look them up again.
@cases = sort { $a->[1] <=> $b->[1] } @cases;
note(scalar(@cases) . " cases of $all: " . @faults . ' faults, ' . @modes . ' modes, '
	  . join(' + ', map { scalar @$_ } @requests) . ' requests');

my $first = $n;
prepare($n, $n + $#cases);
for my $case (@cases)
{
	my ($fault, $m, $k) = @$case;
	mode($modes[$m]);
	my $began = time;
	my ($told, @made) = run_changes($n, $fault, $k);
	my @wrong = (wrong($n, $told), leaks());
	is(join(', ', @wrong), '', "$modes[$m][0], request $k ($requests[$m][$k - 1]): $fault->{name}: $told")
	  or diag(join "\n", "case $n", $session->errors, @made);
	note(sprintf('%.1f s', time - $began)) if time - $began > 5;
	$kinds{ $requests[$m][ $k - 1 ] }{ $fault->{name} }++;
	$n++;
}

# ------------------------------------------------------------- taken together

is(join(', ', grep { my $name = $_->{name}; !grep { $_->{$name} } values %kinds } @faults),
	'', 'every fault occurs');
is(join(', ', grep { !$kinds{$_} } map { @$_ } @requests), '', 'every kind of request is struck');
ok($outcomes{'00000'}, 'some transactions went through') or diag(explain(\%outcomes));
ok((grep { !/^(00000|lost)$/ } keys %outcomes), 'some failed');
sql('SELECT count(*) FROM crm.account; SELECT count(*) FROM crm.contact');
is(sql("SELECT key, difference FROM crm_sync.reconcile('crm.account')"), '', 'both sides have the same accounts');
is(sql("SELECT key, difference FROM crm_sync.reconcile('crm.contact')"), '', 'and contacts');
is(broken_history('SELECT key FROM crm_sync.history'), '0', 'history is complete');
diag(explain(\%outcomes)) if $ENV{CRM_LONG};

done_testing();
