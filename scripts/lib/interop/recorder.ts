/** A TCP proxy that keeps what clients say, connection by connection. */

import { connect, createServer, type AddressInfo, type Server } from 'node:net';

export class Recorder {
  readonly #server: Server;
  readonly #said: Buffer[][] = [];

  private constructor(to: number) {
    this.#server = createServer((near) => {
      const said: Buffer[] = [];
      this.#said.push(said);
      const far = connect(to, '127.0.0.1');
      near.on('data', (bytes: Buffer) => said.push(bytes));
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
    });
  }

  static start(to: number): Promise<Recorder> {
    const recorder = new Recorder(to);
    return new Promise((resolve) => {
      recorder.#server.listen(0, '127.0.0.1', () => resolve(recorder));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What each connection has said. */
  get connections(): Buffer[] {
    return this.#said.map((parts) => Buffer.concat(parts)).filter(({ length }) => length > 0);
  }

  stop(): void {
    this.#server.close();
  }
}
