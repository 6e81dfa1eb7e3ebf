// constant answers GETs with a constant: what the kernel takes for a server's connections, whatever the server does. DESIGN.md has figures.
//
//	gcc -O2 -o constant constant.c
//	for p in 7300 7301 7302; do ./constant $p 7300 7301 7302 CYCLES & done      # CYCLES to compute for each GET
//	quorate bench --addr 127.0.0.1:7300 --fill=false --reads 1 -P 16 -c 50 --pid "$(pgrep -d, constant)"
#define _GNU_SOURCE // accept4
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

static char in[1 << 16], out[1 << 20];

// slots answers CLUSTER SLOTS: a third for each of three ports.
static char *slots(char *o, const int *ports) {
	static const int first[] = {0, 5461, 10923, 16384};
	o += sprintf(o, "*3\r\n");
	for (int i = 0; i < 3; i++)
		o += sprintf(o, "*3\r\n:%d\r\n:%d\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n%040d\r\n", first[i], first[i + 1] - 1, ports[i], i);
	return o;
}

static void compute(unsigned long long cycles) {
	for (unsigned long long end = __rdtsc() + cycles; cycles && __rdtsc() < end;)
		;
}

// answer handles the whole commands in in[:n], and returns where the replies end. What is cut off is lost: the generator's pipelines fit.
static char *answer(int n, const int *ports, unsigned long long cycles) {
	char *o = out, *p = in;
	while (p < in + n && *p == '*') {
		char *word[2] = {"", ""};
		int words = atoi(p + 1);
		p = memchr(p, '\n', in + n - p) + 1;
		for (int i = 0; i < words; i++) {
			int len = atoi(p + 1);
			p = memchr(p, '\n', in + n - p) + 1;
			if (i < 2)
				word[i] = p;
			p += len + 2;
		}
		if (!strncasecmp(word[0], "GET\r", 4)) {
			compute(cycles);
			o += sprintf(o, "$64\r\n%064d\r\n", 7);
		} else if (!strncasecmp(word[0], "CLUSTER\r", 8) && !strncasecmp(word[1], "SLOTS\r", 6)) {
			o = slots(o, ports);
		} else if (!strncasecmp(word[0], "INFO\r", 5)) {
			o += sprintf(o, "$21\r\nredis_version:7.0.15\r\n\r\n");
		} else {
			o += sprintf(o, "+OK\r\n");
		}
	}
	return o;
}

static void serve(int fd, const int *ports, unsigned long long cycles) {
	int n = read(fd, in, sizeof in - 1);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	in[n] = 0;
	for (char *w = out, *end = answer(n, ports, cycles); w < end;) {
		int k = write(fd, w, end - w);
		if (k < 0 && errno != EAGAIN)
			return;
		w += k > 0 ? k : 0;
	}
}

static void watch(int epoll, int fd) {
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv) {
	if (argc != 6) {
		fprintf(stderr, "want PORT and the three ports of the cluster, and CYCLES\n");
		return 2;
	}
	const int one = 1, ports[] = {atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
	unsigned long long cycles = atoll(argv[5]);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) {
		perror("listen");
		return 1;
	}
	watch(epoll, listener);
	struct epoll_event events[256];
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd != listener) {
				serve(fd, ports, cycles);
			} else if ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
				watch(epoll, fd);
			}
		}
	}
}
