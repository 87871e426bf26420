# Ten sessions read while two write and somebody edits in CDMS, for ten seconds, or
# two minutes in the long form.  Every answer is held against a model of what was
# done in which order:
#
#	- Each counter is moved by one party only, and upwards: "there" by the person
#	  in CDMS, "one" and "two" by the writers, with their COMMIT.  A read that began
#	  after a value was acknowledged, or shown to anybody, shows that or a later one,
#	  and none that nobody has set out to write.
#	- What is changed together is seen together: each counter has a twin in the same
#	  object, and is changed with it.
#	- The writers move points, which CDMS knows nothing of, from one object to
#	  another: all of them add up to the same in every answer.
#	- A table with max_age shows what was so by then, or a later state.
#	- Within a REPEATABLE READ transaction answers repeat.
#
# Nobody has an error; no reader waits for a lock longer than a moment, though a
# writer keeps its transaction open for seconds; memory and descriptors stay what
# they are; in the end both sides agree.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use constant OBJECTS => 40;
use constant POINTS => 100;
use constant READERS => 10;
use constant TWIN => 1000000;
use constant MAX_AGE => 1;
use constant HELD_OPEN => 4;      # seconds
use constant LONGEST_WAIT => 2;   # for a lock; a moment is 10 ms

my $seconds = $ENV{CRM_LONG} ? 120 : 10 * (CrmTest::SLOWER > 1 ? 6 : 1);
my $warm_up = $ENV{CRM_LONG} ? 30 : 4;
my $growth = $ENV{CRM_LONG} ? 2048 : 6144;    # of memory, in kB, since it was warm
my $seed = $ENV{CRM_SEED} || time;
my $node = CrmTest::node('soak', 'max_connections = 40', 'shared_buffers = 64MB', "shared_preload_libraries = 'crm_sync'");
my $http = HTTP::Tiny->new;
my $json = JSON::PP->new->canonical;
my $port;

note("CRM_SEED=$seed");
srand($seed);

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub control
{
	my $answer = $http->post("http://127.0.0.1:$port/_control/", { content => $json->encode({ words => [@_] }) });
	my $said = $json->decode($answer->{content});

	die "@_: $said->{error}" if $said->{error};
	return;
}

sub key
{
	return sprintf 'eeeeeeee-0000-4000-8000-%012d', shift;
}

# ------------------------------------------------------------------- the tables

# complete: asked for changes; in_part: always asked by conditions; aged: complete,
# and not asked again within max_age; direct: CDMS
sub create_tables
{
	my $columns = q{
		id         uuid OPTIONS (property 'AccountId') NOT NULL,
		name       text OPTIONS (property 'Name'),
		there      integer OPTIONS (property 'NumberOfEmployees'),
		there_twin numeric OPTIONS (property 'Revenue', type 'Money'),
		one        text OPTIONS (property 'optevia_Address1'),
		one_twin   text OPTIONS (property 'optevia_Address3'),
		two        text OPTIONS (property 'optevia_Address2'),
		two_twin   text OPTIONS (property 'optevia_Address4')};
	my $server = "SERVER cdms OPTIONS (entity 'Account')";

	sql(qq{
		SELECT cdms.stop();
		SELECT cdms.start('--accounts', '31', '--contacts', '11', '--latency', '3');
		SELECT cdms.create_server();
		CREATE SCHEMA soak;
		CREATE FOREIGN TABLE soak.complete ($columns, points integer DEFAULT @{[POINTS]},
			modified_on timestamptz OPTIONS (property 'ModifiedOn')) $server;
		CREATE FOREIGN TABLE soak.in_part ($columns) $server;
		CREATE FOREIGN TABLE soak.aged ($columns, modified_on timestamptz OPTIONS (property 'ModifiedOn'))
			SERVER cdms OPTIONS (entity 'Account', max_age '@{[MAX_AGE]}s');
		CREATE FOREIGN TABLE soak.direct ($columns) $server;
		SELECT crm_sync.create_store('soak.complete'), crm_sync.create_store('soak.in_part'), crm_sync.create_store('soak.aged');
	});
	$port = sql('SELECT port FROM cdms.simulator');
	return;
}

# Counters by their columns, object by object: what was acknowledged or shown, and
# what somebody has set out to write.
my (@known, @begun);

sub create_objects
{
	for my $n (1 .. OBJECTS)
	{
		control('create', 'Account', key($n), $json->encode({
			Name => "Soak $n", NumberOfEmployees => 0, Revenue => '' . TWIN,
			map { ("optevia_Address$_" => '0') } 1 .. 4 }));
		$known[$n] = { there => 0, one => 0, two => 0 };
		$begun[$n] = { %{ $known[$n] } };
	}
	sql("SELECT count(*) FROM soak.complete; UPDATE soak.complete_store SET points = @{[POINTS]} WHERE name LIKE 'Soak%'");
	return;
}

# ------------------------------------------------------------------- complaints

my @wrong;
my ($answers, $rows) = (0, 0);

sub complain
{
	my ($what) = @_;
	push @wrong, $what if @wrong < 20;
	return;
}

# --------------------------------------------------------------------- readers

my $columns = "right(id::text, 2)::integer, there, there_twin::integer, one, one_twin, two, two_twin";

sub all_of { return "SELECT $columns, points FROM soak.complete WHERE name LIKE 'Soak%'" }

# Shapes of questions; each gives rows of the same form, points last or none.
my @questions = (
	sub { return (all_of(), whole => 1) },
	sub { return ("SELECT $columns, points FROM soak.complete WHERE id = '" . key(1 + int rand OBJECTS) . "'") },
	sub { return ("SELECT $columns, points FROM soak.complete WHERE id IN (" . join(',', map { "'" . key($_) . "'" } 3, 7, 31, 40) . ')') },
	sub { return ("SELECT $columns FROM soak.in_part WHERE name = 'Soak " . (1 + int rand OBJECTS) . "'") },
	sub { return ("SELECT $columns FROM soak.in_part WHERE name LIKE 'Soak 1%' AND there >= 0") },
	sub { return ("SELECT $columns FROM soak.in_part WHERE id = '" . key(1 + int rand OBJECTS) . "'") },
	sub { return ('BEGIN ISOLATION LEVEL REPEATABLE READ; ' . all_of() . " ORDER BY id; \\echo again\n"
		. all_of() . ' ORDER BY id; COMMIT', whole => 1) },
	sub { return ('BEGIN READ ONLY; ' . all_of() . '; COMMIT', whole => 1) },
	sub { return ("SELECT $columns, points FROM soak.complete JOIN soak.in_part USING (id, name) WHERE name LIKE 'Soak 2%'"
		=~ s/, (there|one|two)/, complete.$1/gr) },
	sub { return ("SELECT sum(points) FROM soak.complete WHERE name LIKE 'Soak%'", sum => 1) },
	sub { return ("SELECT sum(c.points) FROM soak.complete c JOIN soak.in_part p ON p.id = c.id WHERE c.name LIKE 'Soak%'", sum => 1) },
	sub { return ("SELECT sum(points) FROM soak.complete c WHERE EXISTS "
		. "(SELECT FROM soak.in_part p WHERE p.id = c.id AND p.name LIKE 'Soak%')", sum => 1) },
	sub { return ("SELECT sum(points) FROM (SELECT left(name, 6), sum(points) AS points FROM soak.complete "
		. "WHERE name LIKE 'Soak%' GROUP BY 1) g", sum => 1) },
	sub { return ("SELECT $columns FROM soak.aged WHERE name LIKE 'Soak%'", aged => 1) },
	sub { return ("SELECT $columns FROM soak.aged WHERE id = '" . key(1 + int rand OBJECTS) . "'", aged => 1) },
	# CDMS is asked for the second table when what is in the first one is known.
	sub { return ("SELECT sum(points) FROM (SELECT points FROM soak.complete WHERE name LIKE 'Soak%' "
		. "UNION ALL SELECT 0 FROM soak.in_part WHERE name LIKE 'Soak 1%') o", sum => 1) },
);

sub copy_of
{
	return [ map { $_ && {%$_} } @_ ];
}

# What was known at a moment that is max_age behind; the oldest first.
my @past;

sub remember
{
	push @past, [ time, copy_of(@known) ];
	shift @past while @past > 1 && $past[1][0] < time - MAX_AGE;
	return;
}

sub aged_floor
{
	return $past[0][0] < time - MAX_AGE ? $past[0][1] : [ map { { there => 0, one => 0, two => 0 } } 0 .. OBJECTS ];
}

sub ask
{
	my ($reader) = @_;
	my ($sql, %about) = $questions[ int rand @questions ]->();

	$reader->{question} = { sql => $sql, floor => $about{aged} ? aged_floor() : copy_of(@known), %about };
	$reader->{session}->begin("$sql;\n");
	return;
}

sub check_counter
{
	my ($question, $n, $counter, $value) = @_;

	complain("object $n: $counter is $value, and $question->{floor}[$n]{$counter} was known before: $question->{sql}")
	  if $value < $question->{floor}[$n]{$counter};
	complain("object $n: $counter is $value, which nobody wrote: $question->{sql}") if $value > $begun[$n]{$counter};
	$known[$n]{$counter} = $value if $value > $known[$n]{$counter};
	return;
}

sub check_row
{
	my ($question, $line) = @_;
	my ($n, $there, $there_twin, $one, $one_twin, $two, $two_twin, $points) = split /\|/, $line;

	complain("changed together, seen apart: $line: $question->{sql}")
	  if $there + $there_twin != TWIN || $one ne $one_twin || $two ne $two_twin;
	check_counter($question, $n, @$_) for [ there => $there ], [ one => $one ], [ two => $two ];
	$rows++;
	return $points || 0;
}

sub check_answer
{
	my ($question, $printed) = @_;
	my ($first, $again) = split /^again\n/m, $printed;
	my $points = 0;

	$answers++;
	if ($question->{sum})
	{
		complain("$first points in all: $question->{sql}") if $first != OBJECTS * POINTS;
		return;
	}
	complain("an answer that does not repeat: $first THEN $again") if defined $again && "$first" ne "$again\n";
	$points += check_row($question, $_) for split /\n/, $first;
	complain("$points points in all: $question->{sql}") if $question->{whole} && $points != OBJECTS * POINTS;
	return;
}

sub serve_reader
{
	my ($reader) = @_;
	my $printed = $reader->{session}->finished;

	return if !defined $printed;
	my $errors = $reader->{session}->errors;
	complain("$errors: $reader->{question}{sql}") if $errors ne '';
	check_answer($reader->{question}, $printed) if $errors eq '';
	ask($reader);
	return;
}

# --------------------------------------------------------------------- writers

# Two objects, in the order of their keys: nobody deadlocks.
sub write_two
{
	my ($writer) = @_;
	my ($from, $to) = sort { $a <=> $b } map { 1 + int rand OBJECTS / 2 } 1, 2;
	my $counter = $writer->{counter};
	my $sql = "BEGIN;\n";

	$to += OBJECTS / 2;
	for ([ $from, '- 1' ], [ $to, '+ 1' ])
	{
		my ($n, $points) = @$_;
		my $value = ++$begun[$n]{$counter};
		$sql .= "UPDATE soak.complete SET $counter = '$value', ${counter}_twin = '$value', points = points $points "
		  . "WHERE id = '" . key($n) . "';\n";
	}
	$writer->{objects} = [ $from, $to ];
	$writer->{state} = 'open';
	$writer->{until} = time + (rand() < $writer->{patience} ? HELD_OPEN : 0);
	$writer->{session}->begin($sql);
	return;
}

sub serve_writer
{
	my ($writer) = @_;

	return if $writer->{state} eq 'open' && time < $writer->{until};
	return if !defined $writer->{session}->finished;
	my $errors = $writer->{session}->errors;
	complain("a writer: $errors") if $errors ne '';
	if ($writer->{state} eq 'open')
	{
		$writer->{state} = 'committing';
		$writer->{session}->begin("COMMIT;\n");
		return;
	}
	$known[$_]{ $writer->{counter} } = $begun[$_]{ $writer->{counter} } for @{ $writer->{objects} };
	write_two($writer);
	return;
}

# ----------------------------------------------------------- somebody in CDMS

sub edit_one
{
	my $n = 1 + int rand OBJECTS;
	my $value = ++$begun[$n]{there};

	control('edit', 'Account', key($n), $json->encode({ NumberOfEmployees => $value, Revenue => '' . (TWIN - $value) }));
	$known[$n]{there} = $value;
	return;
}

# ----------------------------------------------------------------- the machine

my $waited = 0;

# Private memory in kB, and descriptors.
sub resources
{
	my ($session) = @_;

	return { memory => $session->memory, descriptors => $session->descriptors };
}

sub check_waits
{
	my ($watcher, @pids) = @_;
	my $longest = $watcher->query('SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0) FROM pg_locks '
		. 'WHERE NOT granted AND pid IN (' . join(',', @pids) . ')');

	$waited = $longest if $longest > $waited;
	return;
}

# --------------------------------------------------------------------- the test

create_tables();
create_objects();

my @readers = map { { session => CrmSession->new($node) } } 1 .. READERS;
my @writers = map { { session => CrmSession->new($node), counter => $_, patience => $_ eq 'one' ? 0.02 : 0 } } 'one', 'two';
my $watcher = CrmSession->new($node);
my $began = time;
my ($next_edit, $next_watch) = ($began, $began);

remember();
ask($_) for @readers;
write_two($_) for @writers;
$writers[0]{until} = $began + HELD_OPEN;
while (time < $began + $seconds)
{
	serve_reader($_) for @readers;
	serve_writer($_) for @writers;
	if (time > $next_edit) { edit_one(); $next_edit = time + rand 0.05 }
	if (time > $past[-1][0] + 0.1) { remember() }
	if (time > $next_watch) { check_waits($watcher, map { $_->{session}->pid } @readers); $next_watch = time + 0.5 }
	if (!$readers[0]{before} && time > $began + $warm_up)
	{
		$_->{before} = resources($_->{session}) for @readers, @writers;
	}
	sleep 0.002;
}

# All come to an end, one last time.
for my $reader (@readers)
{
	check_answer($reader->{question}, $reader->{session}->finish);
	is($reader->{session}->errors, '', 'a reader ends without an error');
}
for my $writer (@writers)
{
	$writer->{session}->finish;
	$writer->{session}->query('COMMIT') if $writer->{state} eq 'open';
	is($writer->{session}->errors, '', 'a writer ends without an error');
}

note("$answers answers with $rows rows");
is(join("\n", @wrong), '', 'every answer is one that the model allows');
cmp_ok($answers, '>', $seconds * 3, 'there were many');
cmp_ok($waited, '<', LONGEST_WAIT, 'no reader waited for a lock that others held for long');
for my $party (@readers, @writers)
{
	# Time and again one more file of the database is open, and one less.
	my ($then, $now) = ($party->{before}, resources($party->{session}));
	cmp_ok($now->{memory} - $then->{memory}, '<', $growth, "a session has not grown: $then->{memory} kB then, $now->{memory} now");
	cmp_ok($now->{descriptors}, '<=', $then->{descriptors} + 10, 'nor kept descriptors');
}
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing waits to be sent');
is(sql(q{
	SELECT count(*) FROM soak.complete;
	SELECT count(*) FROM (SELECT id, name, there, there_twin, one, one_twin, two, two_twin FROM soak.complete_store
	                      EXCEPT TABLE soak.direct) AS d;
	SELECT count(*) FROM (TABLE soak.in_part EXCEPT TABLE soak.direct) AS d}), (OBJECTS + 31) . "\n0\n0", 'both sides agree');
is(sql(q{
	SELECT count(*) FROM (
		SELECT now, lag(now) OVER (PARTITION BY store, key ORDER BY id) AS before
		FROM crm_sync.history,
		     LATERAL (SELECT array[after ->> 'there', after ->> 'one', after ->> 'two']::integer[] AS now) n
		WHERE after ->> 'name' LIKE 'Soak%') h
	WHERE now[1] < before[1] OR now[2] < before[2] OR now[3] < before[3]}), '0', 'nothing was taken back meanwhile, says history');
is(sql(q{SELECT count(*) FROM crm_sync.conflicts}), '0', 'nobody has overwritten anybody');

done_testing();
