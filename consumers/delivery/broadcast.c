/* One chunk to many sockets, without Python between two of them: consumers/delivery/broadcast.py, docs/decisions/0044. */

#include <stddef.h>
#include <sys/socket.h>

/* Write to each socket what it takes at once. written[i] is how much that was: less than all where the socket is
 * full, or is no socket any more; its transport then writes the rest, and meets the error. Returns how many
 * took less than all. SIGPIPE is ignored by Python. */
int touchline_write_to_all(const int *sockets, int count, const char *chunk, int size, int *written)
{
    int fell_short = 0;
    for (int i = 0; i < count; i++) {
        ssize_t sent = send(sockets[i], chunk, (size_t)size, MSG_DONTWAIT);
        written[i] = sent < 0 ? 0 : (int)sent;
        fell_short += written[i] < size;
    }
    return fell_short;
}
