# Real servers beside a cluster: Apache, nginx, a Kerberos KDC.  Each listens on
# 127.0.0.1, keeps its files below $dir, and ends with the program.
#
#	my $dir = CrmServer::directory('name');
#	my $port = CrmServer::port();
#	CrmServer::write_file("$dir/apache.conf", $text);
#	CrmServer::start($port, 'apache2', '-X', '-f', "$dir/apache.conf");
package CrmServer;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX qw(_exit);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my @running;

# Debian puts servers where an ordinary user's PATH does not look.
$ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";

sub directory
{
	my ($name) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short() . "/$name";

	mkdir $dir or die "could not make $dir: $!";
	return $dir;
}

sub port
{
	return PostgreSQL::Test::Cluster::get_free_port();
}

sub write_file
{
	my ($file, $text) = @_;

	open(my $handle, '>', $file) or die "could not write $file: $!";
	print $handle $text;
	close($handle) or die "could not write $file: $!";
	return;
}

# Runs a command to its end, and says what it printed where it failed.
sub run
{
	my (@command) = @_;
	my $output = '';

	IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>&1')
	  or BAIL_OUT("@command failed:\n$output");
	return $output;
}

sub _listens
{
	my ($port) = @_;

	return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

# Starts a server that stays in the foreground, in this directory and process
# group, so that whoever ends the tests finds it; returns when it listens.
sub start
{
	my ($port, @command) = @_;
	my $log = "$PostgreSQL::Test::Utils::log_path/$command[0].log";
	my $pid = fork();

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $log);
		open(STDERR, '>&', \*STDOUT);
		exec @command or _exit(127);
	}
	push @running, $pid;
	for (1 .. 600)
	{
		return $pid if _listens($port);
		last if waitpid($pid, POSIX::WNOHANG()) == $pid;
		sleep 0.05;
	}
	BAIL_OUT("$command[0] does not listen:\n" . slurp_file($log));
	return;
}

sub stop
{
	my ($pid) = @_;

	kill 'TERM', $pid;
	waitpid $pid, 0;
	@running = grep { $_ != $pid } @running;
	return;
}

# A test: the server has logged, or soon will have, what matches.  Servers write
# to their logs when the client has its answer already.
sub logged
{
	my ($file, $pattern, $name) = @_;

	for (1 .. 600)
	{
		last if -f $file && slurp_file($file) =~ $pattern;
		sleep 0.05;
	}
	return like(slurp_file($file), $pattern, $name);
}

END
{
	my $status = $?;
	stop($_) for my @all = @running;
	$? = $status;
}

# ------------------------------------------------------------------- Apache

# What every configuration of ours begins with; further modules by name.
sub apache
{
	my ($dir, $port, @modules) = @_;
	my $text = "ServerName localhost\nServerRoot $dir\nPidFile $dir/apache.pid\n"
	  . "Listen 127.0.0.1:$port\nErrorLog $dir/error.log\nMutex pthread\n";

	for my $module ('mpm_event', 'authz_core', 'proxy', 'proxy_http', @modules)
	{
		$text .= "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so\n";
	}
	return $text . "DefaultRuntimeDir $dir\nStartServers 1\nMinSpareThreads 5\n";
}

# --------------------------------------------------------------------- nginx

# A configuration with these servers in it.
sub nginx
{
	my ($dir, @servers) = @_;
	my $temporary = join "\n", map { "${_}_temp_path $dir/$_;" } qw(client_body proxy fastcgi uwsgi scgi);

	return "daemon off;\npid $dir/nginx.pid;\nerror_log $dir/error.log;\nevents { }\n"
	  . "http {\nssl_protocols TLSv1.2 TLSv1.3;\nlog_format told '\$ssl_protocol \$ssl_client_s_dn \$request_method \$status';\n"
	  . "access_log $dir/access.log told;\n$temporary\n@servers}\n";
}

# ------------------------------------------------------------- certificates

# Makes $dir/NAME.pem and $dir/NAME.key.  issuer: name of the one that signs, its
# own where there is none; names: subjectAltName; days: how long it is valid,
# negative: it no longer is; ca: true for one that signs others.
sub certificate
{
	my ($dir, $name, %how) = @_;
	my @issuer = $how{issuer}
	  ? ('-CA', "$dir/$how{issuer}.pem", '-CAkey', "$dir/$how{issuer}.key", '-CAcreateserial')
	  : ('-signkey', "$dir/$name.key");
	my $extensions = $how{ca} ? "basicConstraints=critical,CA:true\n" : "basicConstraints=CA:false\n";

	$extensions .= "subjectAltName=$how{names}\n" if $how{names};
	write_file("$dir/$name.ext", $extensions);
	run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
		'-subj', "/CN=$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
	run('openssl', 'x509', '-req', '-in', "$dir/$name.csr", '-out', "$dir/$name.pem",
		'-days', $how{days} || 2, '-extfile', "$dir/$name.ext", @issuer);
	return;
}

# Makes $dir/NAME.pem and $dir/NAME.key of a CA that bears the name of one that the
# system trusts.  What it signs is refused everywhere, but not for the same reason: for
# its signature where the system's are looked at, for want of an issuer elsewhere.
# false: the system trusts nobody.
sub imitation
{
	my ($dir, $name) = @_;

	for my $file (sort glob '/etc/ssl/certs/*.0')
	{
		next unless run('openssl', 'x509', '-in', $file, '-noout', '-text') =~ /Public Key Algorithm: rsaEncryption/;
		run('openssl', 'genrsa', '-out', "$dir/$name.key", '2048');
		run('openssl', 'x509', '-in', $file, '-signkey', "$dir/$name.key", '-days', 2, '-out', "$dir/$name.pem");
		return 1;
	}
	return 0;
}

# Makes $dir/NAME.crl: the issuer's list of what it has revoked; hours: how long it
# is valid, negative: it no longer is.
sub revocations
{
	my ($dir, $name, $issuer, $hours, @revoked) = @_;
	my @ca = ('openssl', 'ca', '-config', "$dir/$name.cnf", '-cert', "$dir/$issuer.pem", '-keyfile', "$dir/$issuer.key");
	my @time = map { POSIX::strftime('%Y%m%d%H%M%SZ', gmtime(time() + 3600 * $_)) } -2, $hours;

	write_file("$dir/$name.cnf", "[ca]\ndefault_ca = own\n[own]\ndatabase = $dir/$name.index\ndefault_md = sha256\n");
	write_file("$dir/$name.index", '');
	run(@ca, '-revoke', "$dir/$_.pem") for @revoked;
	run(@ca, '-gencrl', '-crl_lastupdate', $time[0], '-crl_nextupdate', $time[1], '-out', "$dir/$name.crl");
	return;
}

# The files one behind the other: $dir/NAME.
sub bundle
{
	my ($dir, $name, @files) = @_;

	return write_file("$dir/$name", join '', map { slurp_file("$dir/$_") } @files);
}

# ----------------------------------------------------------------- Kerberos

# A realm CRM.TEST with a running KDC.  Sets KRB5_CONFIG and KRB5CCNAME for
# everything that is started afterwards.  Principals: HTTP/localhost, whose key
# is in $dir/http.keytab, and those asked for, in $dir/NAME.keytab.
sub kerberos
{
	my ($dir, @users) = @_;
	my $port = port();

	write_file("$dir/krb5.conf", <<"END");
[libdefaults]
	default_realm = CRM.TEST
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	udp_preference_limit = 1
	permitted_enctypes = aes256-cts-hmac-sha1-96
[realms]
	CRM.TEST = {
		kdc = 127.0.0.1:$port
	}
[domain_realm]
	localhost = CRM.TEST
END
	write_file("$dir/kdc.conf", <<"END");
[kdcdefaults]
	kdc_listen = 127.0.0.1:$port
	kdc_tcp_listen = 127.0.0.1:$port
[realms]
	CRM.TEST = {
		database_name = $dir/principal
		key_stash_file = $dir/stash
		acl_file = $dir/kadm5.acl
		supported_enctypes = aes256-cts-hmac-sha1-96:normal
		master_key_type = aes256-cts-hmac-sha1-96
	}
[logging]
	kdc = FILE:$dir/kdc.log
END
	$ENV{KRB5_CONFIG} = "$dir/krb5.conf";
	$ENV{KRB5_KDC_PROFILE} = "$dir/kdc.conf";
	$ENV{KRB5CCNAME} = "FILE:$dir/tickets";
	$ENV{KRB5RCACHENAME} = 'none:';
	run('kdb5_util', 'create', '-s', '-P', 'master');
	for my $user ('HTTP/localhost', @users)
	{
		my $keytab = $user eq 'HTTP/localhost' ? 'http' : $user;

		run('kadmin.local', '-q', "addprinc -randkey $user");
		run('kadmin.local', '-q', "ktadd -k $dir/$keytab.keytab $user");
	}
	return start($port, 'krb5kdc', '-n', '-P', "$dir/kdc.pid");
}

1;
