# The simulator's control commands, straight from the test program: for tests that
# give thousands of them, or give them while the database server is down.
#
#	my $cdms = CrmControl->new($node, 'postgres');
#	$cdms->run('fault', 'hang', '--verb', 'POST');     # the lines it printed
#	my $record = $cdms->record('Account', $key);       # property => text, or undef
package CrmControl;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;

sub new
{
	my ($class, $node, $dbname) = @_;
	my $port = $node->safe_psql($dbname, 'SELECT port FROM cdms.simulator');

	return bless {
		url => "http://127.0.0.1:$port/_control/",
		http => HTTP::Tiny->new(keep_alive => 1, timeout => 60),
	}, $class;
}

sub _answer
{
	my ($self, @words) = @_;
	my $answer = $self->{http}->post($self->{url}, { content => encode_json({ words => \@words }) });

	die "simulator: $answer->{status} $answer->{content}" if $answer->{status} !~ /^[24]00$/;
	return decode_json($answer->{content});
}

sub run
{
	my ($self, @words) = @_;
	my $answer = $self->_answer(@words);

	die "simulator: @words: $answer->{error}" if defined $answer->{error};
	return @{ $answer->{lines} };
}

sub record
{
	my ($self, $entity, $key) = @_;
	my $answer = $self->_answer('get', $entity, $key);

	return if !$answer->{lines};
	return { map { /^(\w+)=(.*)$/s ? ($1, $2) : () } @{ $answer->{lines} } };
}

1;
