export function ensureInstalled(): void;
/** Builds only if something changed. */
export function ensureBuilt(): void;
