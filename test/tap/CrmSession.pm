# A psql session that goes on while the test does something else.
#
#	my $session = CrmSession->new($node);
#	is($session->query('SELECT 1'), '1', ...);
#	$session->send("SELECT pg_sleep(1);\n");    # does not wait
#	$session->finish;                           # what the statements sent printed
#	$session->begin("SELECT 1;\n");             # does not wait, and asks now and then:
#	$session->finished;                         # the same, or undef where they go on
#	$session->last_words;                       # what it printed before the server crashed
#	$session->errors;                           # on stderr, since the last call
package CrmSession;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep time);

my $serial = 0;

sub new
{
	my ($class, $node, $dbname) = @_;
	my $self = bless { in => '', out => '', err => '', limit => IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default) }, $class;

	$self->{run} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr($dbname || 'postgres'), '-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		$self->{limit});
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	return $self;
}

# The process that serves it.
sub pid
{
	my ($self) = @_;
	return $self->{pid};
}

# Each has its own time: a session may go on for long.
sub send
{
	my ($self, $text) = @_;

	$self->{limit}->start;
	$self->{in} .= $text;
	$self->{run}->pump_nb;
	return;
}

# Waits for the end of what was sent; what it printed, less the last newline.
sub finish
{
	my ($self) = @_;
	my $printed;

	$self->begin('') if !$self->{mark};
	$self->{run}->pump until defined($printed = $self->_printed);
	return $printed;
}

# Sends, and notes where the end of it is, on both outputs: they come as they like.
sub begin
{
	my ($self, $text) = @_;

	$self->{mark} = '-- ' . ++$serial . ' --';
	$self->send("$text\\echo '$self->{mark}'\n\\warn '$self->{mark}'\n");
	return;
}

# What was printed since begin(), less the last newline; undef until it is whole.
sub finished
{
	my ($self) = @_;

	$self->{run}->pump_nb;
	return $self->_printed;
}

sub _printed
{
	my ($self) = @_;
	my $mark = $self->{mark};

	return if $self->{err} !~ /^\Q$mark\E\n/m || $self->{out} !~ /^(.*?)\n?^\Q$mark\E\n/ms;
	my $printed = $1;
	$self->{err} =~ s/^\Q$mark\E\n//m;
	$self->{out} = '';
	$self->{mark} = undef;
	return $printed;
}

sub query
{
	my ($self, $sql) = @_;

	$self->send("$sql;\n");
	return $self->finish;
}

# All that was printed since the last call, by a session whose server has gone.
sub last_words
{
	my ($self) = @_;

	eval { $self->{run}->pump while $self->{run}->pumpable };
	$self->close;
	my $printed = $self->{out};

	$self->{out} = '';
	return $printed;
}

sub errors
{
	my ($self) = @_;
	my $errors = $self->{err};
	my $mark = $self->{mark};

	$self->{err} = $mark && $errors =~ s/^\Q$mark\E\n//m ? "$mark\n" : '';
	return $errors;
}

# Ends it, also when the server has gone already.
sub close
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	return;
}

# How many descriptors the process has open, without the database's own files: there are
# more of these as tables grow.
sub descriptors
{
	my ($self) = @_;
	my @open = grep { (readlink $_ || '') !~ m{/pgdata/} } glob("/proc/$self->{pid}/fd/*");

	return scalar @open;
}

# Its resident memory in kB, without what all share: buffers fill as it goes.  Where
# the server is watched that says nothing: what is freed is kept for a while.
sub memory
{
	my ($self) = @_;
	return 0 if $ENV{CRM_REPORTS};
	my ($kilobytes) =
	  PostgreSQL::Test::Utils::slurp_file("/proc/$self->{pid}/status") =~ /^RssAnon:\s*(\d+)/m;

	return $kilobytes;
}

# An orphan may stay a zombie until somebody asks after it.
sub _is_gone
{
	my ($self) = @_;

	CORE::open(my $file, '<', "/proc/$self->{pid}/stat") or return 1;
	my $stat = <$file>;
	CORE::close($file);
	return !defined $stat || $stat =~ /\) [ZX] /;
}

# Seconds until the process is gone; undef when it is not within the limit.
sub gone_after
{
	my ($self, $limit) = @_;
	my $began = time;

	while (time < $began + $limit)
	{
		return time - $began if $self->_is_gone;
		sleep 0.005;
	}
	return;
}

1;
