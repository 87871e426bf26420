# What TAP tests share: a cluster with the extension, and the CDMS simulator
# with its functions for tests (test/cdms.sql).
#
#	my $node = CrmTest::node('name', "shared_preload_libraries = 'crm_sync'");
#	is($node->safe_psql('postgres', "SELECT cdms.requests()"), '0', ...);
#
# The simulator ends with the program; so do the clusters, as always.
package CrmTest;

use strict;
use warnings;

use Cwd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# How many times longer everything may take: under valgrind (test/memory) a server is slow.
use constant SLOWER => $ENV{CRM_SLOWER} || 1;

my $source = getcwd();
my @simulators;

# A running cluster: the extension, the functions and a simulator in its
# database postgres.  Further arguments are lines for postgresql.conf.
sub node
{
	my ($name, @settings) = @_;
	return _start($name, {}, @settings);
}

# The same, for standbys to follow.
sub primary
{
	my ($name, @settings) = @_;
	return _start($name, { allows_streaming => 1 }, @settings);
}

sub _start
{
	my ($name, $init, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%$init);
	$node->append_conf('postgresql.conf', join("\n", @settings, ''));
	$node->start;
	simulator($node, 'postgres');
	$node->safe_psql('postgres', 'CREATE EXTENSION crm_sync');
	return $node;
}

# Starts a simulator for a database, with options of simulator.py.
sub simulator
{
	my ($node, $database, @options) = @_;
	my $format = $ENV{CRM_FORMAT} || 'json';
	my $options = join ', ', map { "'$_'" } @options;

	$node->safe_psql($database,
		"SET cdms.srcdir = '$source';\n"
		  . slurp_file("$source/test/cdms.sql")
		  . "ALTER DATABASE $database SET cdms.format = '$format';\n"
		  . "SELECT cdms.start($options);\n");
	push @simulators, $node->safe_psql($database,
		"SELECT directory || '/pid' FROM cdms.simulator");
	return;
}

END
{
	my $status = $?;
	for my $file (grep { -f } @simulators)
	{
		my ($pid) = slurp_file($file) =~ /(\d+)/;
		kill 'TERM', $pid;
	}
	$? = $status;
}

1;
