/**
 * How many that have connected may wait to be taken in by a port, where the system allows that many
 * (`net.core.somaxconn`). Node's 511 are full as soon as a crowd comes back at once: the system
 * then drops what they say, they take themselves for connected, and try again after seconds.
 */
export const BACKLOG = 4_096;
