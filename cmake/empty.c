/* Keeps a room that has no sources yet buildable. */
typedef int room_is_empty;
