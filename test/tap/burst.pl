# Ten thousand objects change in CDMS at one moment.  The next read brings them
# all; those after it ask for them again, for as long as the moment is within the
# overlap, and write nothing; then a read is one request as before.
#
# CDMS's clock is set by the test, so the requests of each read are known.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use Test::More;

use constant OBJECTS => 12000;
use constant BURST => 10000;
use constant PAGES => BURST / 50;

my $node = CrmTest::node('burst', 'shared_buffers = 128MB');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sql(q{
	SELECT cdms.stop();
	SELECT cdms.start('--accounts', '12000', '--contacts', '11');
	SELECT cdms.clock('set', '2026-03-01T12:00:00Z');
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id          uuid OPTIONS (property 'AccountId') NOT NULL,
		alias       text OPTIONS (property 'optevia_Alias'),
		modified_on timestamptz OPTIONS (property 'ModifiedOn')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
});

# What a read finds, how many requests it takes, what it writes to history, and the
# watermark then.
sub reading
{
	return sql(q{
		SELECT cdms.log_clear();
		CREATE TEMP TABLE before AS SELECT coalesce(max(id), 0) AS id FROM crm_sync.history;
		SELECT count(*) FILTER (WHERE alias = 'burst') AS found FROM crm.account \gset
		SELECT :found, cdms.requests(), (SELECT count(*) FROM crm_sync.history h, before b WHERE h.id > b.id),
		       to_char(pulled_through AT TIME ZONE 'UTC', 'HH24:MI:SS') FROM crm_sync.status}) =~ s/^\n//r;
}

sub at
{
	my ($time) = @_;
	sql("SELECT cdms.clock('set', '2026-03-01T${time}Z')");
	return;
}

# It is loaded by ranges of CreatedOn; the last page of a range is not full.
my ($found, $requests, @written) = split /\|/, reading();
is("@written", OBJECTS . ' 12:00:00', 'the first read loads the table');
cmp_ok($requests, '<=', OBJECTS / 50 * 1.25, 'nearly 50 objects a request');
at('12:10:00');
is(reading(), '0|1|0|12:00:00', 'nothing changed: one request, and nothing is written');

sql("SELECT cdms.control('edit-many', 'AccountSet', '" . BURST . q{', '{"optevia_Alias": "burst"}')});
is(reading(), join('|', BURST, PAGES, BURST, '12:10:00'), 'the read after the burst brings all of it');
is(reading(), join('|', BURST, PAGES, 0, '12:10:00'), 'the next one asks again, and writes nothing');

# The watermark follows CDMS's clock in steps of half a minute.  Two minutes and
# such a step after the burst the window is empty.
at('12:10:29');
is(reading(), join('|', BURST, PAGES, 0, '12:10:00'), 'within the step it stays');
at('12:11:00');
is(reading(), join('|', BURST, PAGES, 0, '12:11:00'), 'then it moves');
at('12:12:01');
is(reading(), join('|', BURST, PAGES, 0, '12:12:01'), 'the burst was two minutes before: it is asked for once more');
is(reading(), join('|', BURST, 1, 0, '12:12:01'), 'and no longer');
at('12:30:00');
is(reading(), join('|', BURST, 1, 0, '12:12:01'), 'nor later');

# Nobody reads while the burst is recent: one read brings all, the next is one request.
sql("SELECT cdms.control('edit-many', 'AccountSet', '" . BURST . q{', '{"optevia_Alias": "again"}')});
at('12:40:00');
is(reading(), join('|', 0, PAGES, BURST, '12:40:00'), 'a burst of ten minutes ago comes with the next read');
is(reading(), '0|1|0|12:40:00', 'and with that one only');

done_testing();
