# A database in LATIN1: names and values go to CDMS in UTF-8, and come from there.  What
# the database can't hold is an ERROR, and no question mark.

use strict;
use warnings;
use utf8;

use Encode;
use FindBin;
use lib $FindBin::RealBin;

use CrmControl;
use CrmTest;
use Test::More;

my $entity = 'optevia_attachmentprobe';
my @key = map { "11111111-0000-4000-8000-00000000000$_" } 0 .. 2;
my $node = CrmTest::node('encoding');

$ENV{PGCLIENTENCODING} = 'UTF8';
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'});
CrmTest::simulator($node, 'latin');
$node->safe_psql('latin', 'CREATE EXTENSION crm_sync');
my $cdms = CrmControl->new($node, 'latin');

# What statements print, or the ERROR among them.
sub sql
{
	my ($statements) = @_;
	my ($status, $output, $errors) = $node->psql('latin', encode('UTF-8', $statements));

	return decode('UTF-8', $status ? $errors : $output);
}

# The latest request of this beginning.
sub latest
{
	my ($beginning) = @_;

	return (grep { /^\Q$beginning\E/ } $cdms->run('log'))[-1] || 'nothing';
}

sub there
{
	my ($key) = @_;
	my $record = $cdms->record($entity, $key);

	return "$record->{optevia_name}, $record->{optevia_Größe}";
}

sub write_and_read
{
	my ($title) = @_;

	sql(qq{INSERT INTO crm.probe VALUES ('$key[0]', 'Müller & Söhne', 'übergroß')});
	is(there($key[0]), 'Müller & Söhne, übergroß', "$title: INSERT");
	sql(qq{UPDATE crm.probe SET größe = 'ÿ' WHERE id = '$key[0]'});
	is(there($key[0]), 'Müller & Söhne, ÿ', "$title: UPDATE");
	is(sql(qq{SELECT name, größe FROM crm.probe WHERE id = '$key[0]'}), 'Müller & Söhne|ÿ', "$title: by key");

	$cdms->run('edit', $entity, $key[0], '{"optevia_Größe":"\u00e6ß"}');
	is(sql(q{SELECT name FROM crm.probe WHERE größe = 'æß'}), 'Müller & Söhne', "$title: by a value");
	like(latest('GET'), qr/optevia_Größe eq 'æß'/, "$title: which CDMS is asked for");
	is(sql(q{SELECT größe FROM crm.direct WHERE größe LIKE 'æ%'}), 'æß', "$title: passed through");
	like(sql(q{EXPLAIN SELECT id FROM crm.direct WHERE größe = 'ü'}), qr/optevia_Größe eq 'ü'/, "$title: EXPLAIN");
	return;
}

sub write_together
{
	my ($title) = @_;

	sql(qq{ALTER SERVER cdms OPTIONS (ADD batch 'on')});
	sql(qq{INSERT INTO crm.probe SELECT unnest(ARRAY['$key[1]', '$key[2]']::uuid[]), 'é', 'ö'});
	is(there($_), 'é, ö', "$title: in a change set") for @key[ 1, 2 ];
	sql(q{ALTER SERVER cdms OPTIONS (DROP batch)});
	return;
}

# Of what LATIN1 has no letter for.
sub refuse
{
	my ($title) = @_;
	my $no_letter = qr/ERROR: .*has no equivalent in encoding "LATIN1"/;

	$cdms->run('edit', $entity, $key[0], '{"optevia_Größe":"10 €"}');
	like(sql(qq{SELECT größe FROM crm.probe WHERE id = '$key[0]'}), $no_letter, "$title: read");
	like(sql(qq{SELECT größe FROM crm.direct WHERE id = '$key[0]'}), $no_letter, "$title: passed through");
	is(sql(qq{SELECT größe FROM crm.probe_store WHERE id = '$key[0]'}), 'æß', "$title: the store is as it was");
	like(sql(qq{UPDATE crm.probe_store SET größe = '€' WHERE id = '$key[0]'}), $no_letter, "$title: written");
	is(there($key[0]), 'Müller & Söhne, 10 €', "$title: so is CDMS");
	is(sql(qq{SELECT größe FROM crm.probe WHERE id = '$key[1]'}), 'ö', "$title: others can be read");
	return;
}

for my $format ('json', 'atom')
{
	$cdms->run('reset');
	$cdms->run('switch', 'batch', 'atomic');
	is( sql(qq{
			DROP SERVER IF EXISTS cdms CASCADE;
			DROP SCHEMA IF EXISTS crm CASCADE;
			CREATE SCHEMA crm;
			ALTER DATABASE latin SET cdms.format = '$format'; SET cdms.format = '$format';
			DO 'BEGIN PERFORM cdms.create_server(); END';
			CREATE FOREIGN TABLE crm.probe (
				id    uuid OPTIONS (property 'optevia_attachmentprobeId') NOT NULL,
				name  text OPTIONS (property 'optevia_name'),
				größe text OPTIONS (property 'optevia_Größe')
			) SERVER cdms OPTIONS (entity '$entity');
			CREATE FOREIGN TABLE crm.direct (
				id    uuid OPTIONS (property 'optevia_attachmentprobeId') NOT NULL,
				größe text OPTIONS (property 'optevia_Größe')
			) SERVER cdms OPTIONS (entity '$entity');
			CREATE FOREIGN TABLE crm.street (
				id    uuid OPTIONS (property 'StraßeId') NOT NULL
			) SERVER cdms OPTIONS (entity 'Straße');
			SELECT crm_sync.create_store('crm.probe')}),
		'crm.probe_store', "$format: tables");
	write_and_read($format);
	write_together($format);
	refuse($format);
	like(sql(q{EXPLAIN SELECT id FROM crm.direct WHERE größe ILIKE '%abc%'}),
		qr/substringof\('abc',optevia_Größe\)/, "$format: letters that fold in ASCII");
	unlike(sql(q{EXPLAIN SELECT id FROM crm.direct WHERE größe ILIKE '%kilo%'}),
		qr/filter/, "$format: letters that fold to what the database has not");
	like(sql('SELECT id FROM crm.street'), qr/ERROR: .*could not read StraßeSet/, "$format: an entity set");
	like(latest('GET'), qr/^GET StraßeSet\?\$select=StraßeId -> 404/, "$format: what CDMS is asked for");
	sql('IMPORT FOREIGN SCHEMA cdms LIMIT TO (optevia_attachmentprobe) FROM SERVER cdms INTO crm');
	like(sql("SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = 'crm.$entity'::regclass"),
		qr/,optevia_größe,/, "$format: IMPORT");
}

done_testing();
