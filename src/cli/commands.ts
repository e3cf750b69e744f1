/** What `kintsugi` can do, by name, each part loaded when it is asked for. */

import type { Io } from './ctl/context.js';

/** Resolves to the exit code. `io`: standard input and output, the process's if it is not given. */
type Run = (args: readonly string[], io?: Io) => Promise<number>;

interface Command {
  readonly help: string;
  readonly load: () => Promise<Run>;
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  start: { help: 'run one member', load: async () => (await import('./start/start.js')).start },
  ctl: {
    help: 'talk to a cluster: put get del txn compaction endpoint member move-leader snapshot heal scrub ...',
    load: async () => (await import('./ctl/ctl.js')).ctl,
  },
  inspect: {
    help: 'look into the files of a member, offline: table manifest hardstate log',
    load: async () => (await import('./inspect/inspect.js')).inspect,
  },
  snapshot: {
    help: 'look at backups, without a cluster: status verify (to take one: ctl snapshot save)',
    load: async () => (await import('./snapshot/snapshot.js')).snapshot,
  },
  restore: {
    help: 'make the data directory of a member of a new cluster out of a backup',
    load: async () => (await import('./restore/restore.js')).restoreCommand,
  },
  recover: {
    help: 're-admit a member whose hard state, log or directory is lost or an old copy, as a new one in its place',
    load: async () => (await import('./recover/recover.js')).recover,
  },
  demo: {
    help: 'three members on this machine, a gentle workload, and keys to hurt them',
    load: async () => (await import('./demo/demo.js')).demo,
  },
  sim: {
    help: 'a whole cluster under faults in virtual time, from a seed; finds bugs, tells them again, makes them small',
    load: async () => (await import('./sim/sim.js')).sim,
  },
};
