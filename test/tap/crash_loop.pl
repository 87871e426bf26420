# The server crashes again and again, at random moments, while sessions write and
# others change the same objects in CDMS.  After each restart and the first use both
# sides hold the same, each transaction is there whole or not at all, and none is
# missing that a client was told of.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmControl;
use CrmSession;
use CrmTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = $ENV{CRM_SEED} // time % 1_000_000;
my $rounds = $ENV{CRM_LONG} ? 200 : 5;
my $writers = 3;
my $transactions = 400;    # more than a writer manages between two crashes

srand $seed;
note("CRM_SEED=$seed, $rounds rounds");

my $node = CrmTest::node('crash_loop');
my $cdms = CrmControl->new($node, 'postgres');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub key
{
	my ($writer, $what) = @_;
	return sprintf('%08x-0000-4000-8000-%012d', 0x20000000 + $writer, $what);
}

# A writer's transaction: his two objects bear its number, a third is created and the
# one before it deleted; now and then he changes one that is everybody's.
sql(q{
	SELECT cdms.create_server($$ batch 'off', max_connections '4', overlap '30s' $$);
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id       uuid OPTIONS (property 'AccountId') NOT NULL,
		name     text OPTIONS (property 'Name'),
		alias    text OPTIONS (property 'optevia_Alias'),
		city     text OPTIONS (property 'optevia_TownCity'),
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

	CREATE FUNCTION crm.key(writer integer, what integer) RETURNS uuid LANGUAGE sql AS
		$$ SELECT format('%s-0000-4000-8000-%s', lpad(to_hex(x'20000000'::integer + writer), 8, '0'), lpad(what::text, 12, '0'))::uuid $$;
	CREATE FUNCTION crm.change(writer integer, number integer) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE crm.account_store SET alias = number WHERE id = crm.key(writer, 1);
		INSERT INTO crm.account (id, name) VALUES (crm.key(writer, number), 'Number ' || number);
		UPDATE crm.contact_store SET last = number WHERE id = crm.key(writer, 2);
		DELETE FROM crm.account_store WHERE id = crm.key(writer, number - 1);
		IF number % 4 = 0 THEN
			UPDATE crm.account_store SET alias = format('%s of %s', number, writer) WHERE id = crm.key(0, 1);
		END IF;
	END $$;
	INSERT INTO crm.account (id, name, alias) SELECT crm.key(w, 1), 'Writer ' || w, '10' FROM generate_series(0, 9) w;
	INSERT INTO crm.account (id, name) SELECT crm.key(w, 10), 'Number 10' FROM generate_series(1, 9) w;
	INSERT INTO crm.contact (id, last) SELECT crm.key(w, 2), '10' FROM generate_series(1, 9) w;
});

my %number = map { $_ => 10 } 1 .. $writers;    # of the last transaction of each
my %city;                                       # as others have set it last
my %answers = (acknowledged => 0, lost => 0);

sub start_writer
{
	my ($writer) = @_;
	my $session = CrmSession->new($node);

	$session->send(join '', map { "SELECT FROM crm.change($writer, $_);\n\\echo $_ :SQLSTATE\n" }
		  $number{$writer} + 1 .. $number{$writer} + $transactions);
	return $session;
}

# Somebody changes another property of the objects that are being written.
sub edit_until
{
	my ($end) = @_;

	while (time < $end)
	{
		my $writer = int rand($writers + 1);
		$city{$writer} = 'City ' . int rand 1_000_000;
		$cdms->run('edit', 'Account', key($writer, 1), qq({"optevia_TownCity":"$city{$writer}"}));
		sleep rand 0.05;
	}
	return;
}

# The number of the transaction that both systems have last, or what is wrong.
sub last_number
{
	my ($writer, $account, $contact, $exists) = @_;
	my $number = $account // 'nothing';

	return "account $number, contact " . ($contact // 'nothing') if $number ne ($contact // '');
	return "of $number no object" if !$exists->($number);
	return "of $number the former object" if $exists->($number - 1);
	return "of $number the next object" if $exists->($number + 1);
	return $number;
}

sub there
{
	my ($writer) = @_;
	my $account = $cdms->record('Account', key($writer, 1)) // {};
	my $contact = $cdms->record('Contact', key($writer, 2)) // {};

	return last_number($writer, $account->{optevia_Alias}, $contact->{LastName},
		sub { scalar $cdms->record('Account', key($writer, $_[0])) });
}

sub here
{
	my ($writer) = @_;
	my %objects = map { split /\|/ } split /\n/, sql(qq{
		SELECT right(id::text, 12)::bigint, coalesce(alias, '') || 'x' FROM crm.account_store WHERE id::text LIKE left(crm.key($writer, 0)::text, 8) || '%'
		UNION ALL SELECT 2, last || 'x' FROM crm.contact_store WHERE id = crm.key($writer, 2)});

	s/x$// for values %objects;
	return last_number($writer, $objects{1}, $objects{2}, sub { exists $objects{ $_[0] } });
}

# What is wrong with this writer's transactions, after he was told that.
sub wrong
{
	my ($writer, $told) = @_;
	my ($done) = sort { $b <=> $a } $number{$writer}, $told =~ /^(\d+) 00000$/mg;
	my ($there, $here) = (there($writer), here($writer));
	my @refused = $told =~ /^(\d+ (?!00000)\w{5})$/mg;
	my $city = $cdms->record('Account', key($writer, 1))->{optevia_TownCity};
	my @wrong;

	$answers{acknowledged} += () = $told =~ /^\d+ 00000$/mg;
	push @wrong, "there: $there" if $there !~ /^\d+$/;
	push @wrong, "here: $here" if $here ne $there;
	push @wrong, "$done was acknowledged, $there is there" if $there =~ /^\d+$/ && $there < $done;
	push @wrong, "refused: @refused" if @refused;
	push @wrong, "city $city, not $city{$writer}" if $city{$writer} && $city ne $city{$writer};
	$answers{lost} += $there - $done if $there =~ /^\d+$/ && $there > $done;
	$number{$writer} = $there if $there =~ /^\d+$/;
	return map { "writer $writer: $_" } @wrong;
}

sub round
{
	my ($round) = @_;
	my ($batch, $switch) = @{ ([ 'off', 'off' ], [ 'on', 'atomic' ], [ 'on', 'not-atomic' ])[ $round % 3 ] };
	my %sessions;
	my @wrong;

	sql("ALTER SERVER cdms OPTIONS (SET batch '$batch')");
	$cdms->run('switch', 'batch', $switch);
	$sessions{$_} = start_writer($_) for 1 .. $writers;
	edit_until(time + CrmTest::SLOWER * (0.1 + rand 1));
	$node->stop('immediate');
	my %words = map { $_ => $sessions{$_}->last_words } keys %sessions;
	$node->start;

	my $unresolved = sql('SELECT sum(unresolved) FROM crm_sync.status');
	sql('SELECT count(*) FROM crm.account; SELECT count(*) FROM crm.contact');
	push @wrong, map { wrong($_, $words{$_}) } sort keys %sessions;
	for my $table ('account', 'contact')
	{
		my $differences = sql("SELECT key, difference FROM crm_sync.reconcile('crm.$table')");
		push @wrong, "$table: $differences" if $differences ne '';
	}
	my $left = sql('SELECT (SELECT count(*) FROM crm_sync.pending), sum(unresolved) FROM crm_sync.status');
	push @wrong, "left: $left" if $left ne '0|0';
	is(join("\n", @wrong), '', "round $round, batch $batch/$switch");
	note("$unresolved writes were unresolved; up to " . join(', ', map { $number{$_} } sort keys %number));
	return;
}

round($_) for 1 .. $rounds;

ok($answers{acknowledged} > 0, 'transactions were acknowledged');
is( sql(q{
		SELECT count(*) FROM (SELECT before, lag(after) OVER w AS former, lag(id) OVER w AS previous
			FROM crm_sync.history WINDOW w AS (PARTITION BY store, key ORDER BY id)) v
		WHERE previous IS NOT NULL AND before IS DISTINCT FROM former}),
	'0', 'history is complete');
note("$answers{acknowledged} transactions were acknowledged, $answers{lost} were there without");

done_testing();
