# Names are names, whatever they are made of: quotes, blanks, what would be SQL, a
# format or a parameter, reserved words, words that our own statements use, all 63
# bytes.  The main job, each round with other names for schema, table, columns, store,
# server and role; answers are as with ordinary names, and CDMS hears the same.
#
# CRM_SEED=n repeats the names of another run.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use Test::More;

use constant MOST_BYTES => 63;

my $rounds = $ENV{CRM_LONG} ? 60 : 6;
my $seed = $ENV{CRM_SEED} || ($ENV{CRM_LONG} ? time : 2011);
my $node = CrmTest::node('identifiers', 'jit = off');
my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my $other = 'aaaaaaaa-0000-4000-8000-000000000002';
my $new = 'dddddddd-0000-4000-8000-000000000001';

note("CRM_SEED=$seed");
srand($seed);

# ----------------------------------------------------------------------- names

my @pieces = (
	'"', "'", '\\', '%s', '%n', '%1$s', '$1', '$$', ';', '--', '/*', '*/', '.', ',', '(', ')', ' ', "\n", "\t", '::text',
	':name', "E'", 'é', 'ß', '😀', 'Ω', "\x{202E}", 'A', 'z', '0', '_', '"; DROP SCHEMA bystander CASCADE; --', "' OR true; --");
my @words = qw(select user table order null default s r o p own crm_rows f0 f1 excluded old new store key
  public pg_temp ordinality array crm_sync pg_catalog count value row);

sub bytes
{
	my ($text) = @_;

	utf8::encode($text);
	return length $text;
}

my %taken;

# Each is another name, at most as long as one may be; a few fill all the room.
sub name
{
	my $name = '';

	if (rand() < 0.3)
	{
		$name = $words[ rand @words ];
	}
	else
	{
		my $most = rand() < 0.2 ? MOST_BYTES : 1 + int rand 40;
		my $tries = 0;

		while ($tries++ < 100 && bytes($name) < $most)
		{
			my $longer = $name . $pieces[ rand @pieces ];
			$name = $longer if bytes($longer) <= $most;
		}
		$name .= 'x' while $most == MOST_BYTES && bytes($name) < $most;
	}
	return $taken{$name}++ || $name =~ /^pg_|^crm_sync$/ ? name() : $name;
}

# As an identifier, as a literal; utf8.
sub id
{
	my ($name) = @_;

	return '"' . $name =~ s/"/""/gr . '"';
}

sub literal
{
	my ($text) = @_;

	return "'" . $text =~ s/'/''/gr . "'";
}

# ------------------------------------------------------------------ statements

# What a role prints and is told.
sub run
{
	my ($role, $sql) = @_;
	my $script = "\\set VERBOSITY verbose\n" . ($role ? 'SET ROLE ' . id($role) . ";\n" : '') . $sql;
	my ($status, $output, $errors);

	utf8::encode($script);
	($status, $output, $errors) = $node->psql('postgres', $script, on_error_stop => 1);
	return $status == 0 && $errors eq '' ? $output : "$output\n$errors";
}

# What CDMS was asked to write since the last time, one line.
sub written
{
	my $lines = $node->safe_psql('postgres',
		q{SELECT string_agg(log, '; ') FROM cdms.log() WHERE log !~ '^GET'});

	$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
	return $lines;
}

sub main_job
{
	my ($round) = @_;
	my ($schema, $server, $role, $table, $store) = map { name() } 1 .. 5;
	my %name = map { $_ => name() } qw(id name phone sector sector_name revenue modified manager later);
	my %column = map { $_ => id($name{$_}) } keys %name;
	my $t = id($schema) . '.' . id($table);
	my $s = id($schema) . '.' . id($store);
	my $note = "$round: " . join ' ', map { s/\n/\\n/gr } $t, id($store), id($server), id($role), values %column;
	my @c = map { $column{$_} } qw(id name phone sector sector_name revenue modified manager);

	utf8::encode($note);
	note($note);
	$node->safe_psql('postgres', 'SELECT cdms.reset(); CREATE SCHEMA bystander; CREATE TABLE bystander.t ()');
	is(run(undef, "SELECT cdms.create_server(NULL, @{[ literal($server) ]});
		CREATE ROLE @{[ id($role) ]}; CREATE SCHEMA @{[ id($schema) ]} AUTHORIZATION @{[ id($role) ]};
		GRANT USAGE ON FOREIGN SERVER @{[ id($server) ]} TO @{[ id($role) ]};"), '', "$round: server, role, schema");

	is(run($role, "
		CREATE FOREIGN TABLE $t ($c[0] uuid OPTIONS (property 'AccountId') NOT NULL,
			$c[1] text OPTIONS (property 'Name'), $c[2] text OPTIONS (property 'optevia_TelephoneNumber'),
			$c[3] uuid OPTIONS (property 'optevia_Sector', type 'EntityReference'), $c[4] text OPTIONS (property 'optevia_Sector/Name'),
			$c[5] numeric OPTIONS (property 'Revenue', type 'Money'), $c[6] timestamptz OPTIONS (property 'ModifiedOn'),
			$c[7] text) SERVER @{[ id($server) ]} OPTIONS (entity 'Account');
		SELECT count(*) FROM $t;"), '500', "$round: pass-through");
	is(run($role, "SELECT crm_sync.create_store(@{[ literal($t) ]}" . ($round % 2 ? ', ' . literal($s) : '') . ') IS NOT NULL;'),
		't', "$round: create_store");
	$s = run($role, "SELECT format('%I.%I', nspname, relname) FROM crm_sync.status JOIN pg_class c ON c.oid = store
		JOIN pg_namespace n ON n.oid = relnamespace WHERE foreign_table = @{[ literal($t) ]}::regclass;");
	utf8::decode($s);
	is(run($role, "SELECT crm_sync.pull(@{[ literal($t) ]}); ANALYZE $t;"), '500', "$round: pull");
	is(run($role, "SELECT $c[1], $c[4] FROM $t WHERE $c[0] = '$key';
		SELECT count(*) FROM $t WHERE $c[0] IN ('$key', '$other');
		SELECT $c[0] FROM $t WHERE $c[1] LIKE 'O''Neil%' AND ($c[7] IS NULL OR $c[5] > 3);
		SELECT count(*) FROM $t a JOIN $t b ON a.$c[0] = b.$c[0] WHERE a.$c[6] IS NOT NULL;"),
		"O'Neil & Sons|Creative and Media\n2\n$key\n500", "$round: read");
	written();

	is(run($role, "BEGIN; UPDATE $t SET $c[2] = 'never', $c[7] = 'x'; DELETE FROM $t; ROLLBACK;"), '', "$round: rolled back");
	is(written(), '', "$round: CDMS hears nothing of it");
	is(run($role, "BEGIN; UPDATE $t SET $c[2] = '1', $c[7] = 'Grace' WHERE $c[1] = 'O''Neil & Sons' RETURNING $c[7];
		INSERT INTO $t ($c[0], $c[1], $c[3]) SELECT '$new', 'New', $c[3] FROM $t WHERE $c[0] = '$key';
		DELETE FROM $t WHERE $c[0] = '$other'; COMMIT;
		SELECT $c[1], $c[2], $c[4], $c[7] FROM $s WHERE $c[0] IN ('$key', '$new') ORDER BY $c[0];"),
		"Grace\nO'Neil & Sons|1|Creative and Media|Grace\nNew||Creative and Media|", "$round: written");
	is(written(), "POST AccountSet {\"AccountId\":\"$new\",\"Name\":\"New\",\"optevia_Sector\":{\"Id\":\"5ec70000-0000-4000-8000-000000000010\"}} -> 201; "
		  . "MERGE AccountSet(guid'$key') {\"optevia_TelephoneNumber\":\"1\"} -> 204; DELETE AccountSet(guid'$other') -> 204",
		"$round: CDMS hears just this");

	is(run($role, "SET crm_sync.mode = local; UPDATE $t SET $c[1] = 'Later' WHERE $c[0] = '$new'; RESET crm_sync.mode;
		SELECT changed ->> @{[ literal($name{name}) ]} FROM crm_sync.pending;
		SELECT crm_sync.push(@{[ literal($t) ]});"), "Later\n1", "$round: pending");
	is(written(), "MERGE AccountSet(guid'$new') {\"Name\":\"Later\"} -> 204", "$round: and pushed");

	# What can't be stored is overlaid.
	$node->safe_psql('postgres', "SELECT cdms.edit('Account', '$key', 'optevia_TelephoneNumber', '2')");
	is(run($role, "BEGIN READ ONLY; SELECT $c[2], $c[7] FROM $t WHERE $c[0] = '$key'; COMMIT;
		SELECT $c[2] FROM $s WHERE $c[0] = '$key'; SELECT $c[2] FROM $t WHERE $c[0] = '$key';"), "2|Grace\n1\n2", "$round: overlaid");

	is(run($role, "SELECT $c[1] FROM crm_sync.as_of(NULL::$t, now()) WHERE $c[0] = '$new';
		SELECT crm_sync.prune_history(@{[ literal($t) ]}, now()) >= 0;
		CALL crm_sync.load(@{[ literal($t) ]});
		SELECT count(*) FROM crm_sync.reconcile(@{[ literal($t) ]});") =~ s/.*NOTICE.*\n|.*LOCATION.*\n?//gr =~ s/\n+$//r,
		"Later\nt\n0", "$round: as_of, prune_history, load, reconcile");
	is(run($role, "ALTER FOREIGN TABLE $t ADD $column{later} text OPTIONS (property 'AccountNumber');
		SELECT crm_sync.create_store(@{[ literal($t) ]}) IS NOT NULL;
		UPDATE $t SET $column{later} = 'N1' WHERE $c[0] = '$key';
		COPY (SELECT $column{later} FROM $t WHERE $c[0] = '$key') TO STDOUT;"), "t\nN1", "$round: a column more");
	is(written(), "MERGE AccountSet(guid'$key') {\"AccountNumber\":\"N1\"} -> 204", "$round: which is CDMS's");
	like(run($role, "UPDATE $t SET $c[4] = 'x' WHERE $c[0] = '$key';"), qr/ERROR:  428C9: /, "$round: an error names it");
	like(run($role, "EXPLAIN (VERBOSE) SELECT $c[1] FROM $t WHERE $c[1] = 'x' AND $c[7] = 'y';"), qr/CDMS Request/, "$round: EXPLAIN");

	is(run(undef, "SELECT count(*) FROM bystander.t; SET client_min_messages = warning; DROP SCHEMA @{[ id($schema) ]} CASCADE;
		DROP SERVER @{[ id($server) ]} CASCADE; DROP ROLE @{[ id($role) ]}; DROP SCHEMA bystander CASCADE;
		TRUNCATE crm_sync.history, crm_sync.outbox;"), '0', "$round: nothing else was touched");
	return;
}

main_job($_) for 1 .. $rounds;

done_testing();
