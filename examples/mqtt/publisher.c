/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher HUB PORT CA DEVICE TEXT: sends one message in the manner of Azure IoT Hub and waits until the hub has it.
 * CA is the hub's; of a certificate for DEVICE there is not a word.
 */
#define _GNU_SOURCE /* asprintf */
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
	char *topic;
	const char *text;
	bool delivered;
};

static void on_connect(struct mosquitto *m, void *user, int refused)
{
	struct message *message = user;

	if (!refused)
		mosquitto_publish(m, NULL, message->topic, (int)strlen(message->text), message->text, 1, false);
}

static void on_publish(struct mosquitto *m, void *user, int id)
{
	(void)m, (void)id;
	((struct message *)user)->delivered = true;
}

int main(int argc, char **argv)
{
	struct message message = {0};
	struct mosquitto *m;
	char *name;
	int error;

	if (argc != 6 || asprintf(&message.topic, "devices/%s/messages/events/", argv[4]) < 0 ||
	    asprintf(&name, "%s/%s/?api-version=2021-04-12", argv[1], argv[4]) < 0)
		return fputs("usage: publisher HUB PORT CA DEVICE TEXT\n", stderr), 64;
	message.text = argv[5];
	mosquitto_lib_init();
	m = mosquitto_new(argv[4], true, &message);
	mosquitto_username_pw_set(m, name, NULL);
	mosquitto_tls_set(m, argv[3], NULL, NULL, NULL, NULL);
	mosquitto_connect_callback_set(m, on_connect);
	mosquitto_publish_callback_set(m, on_publish);
	error = mosquitto_connect(m, argv[1], atoi(argv[2]), 60);
	while (!error && !message.delivered)
		error = mosquitto_loop(m, 1000, 1);
	if (error)
		fprintf(stderr, "publisher: %s\n", mosquitto_strerror(error));
	mosquitto_disconnect(m);
	return error != 0;
}
