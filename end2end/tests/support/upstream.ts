// Something that a console may watch, which answers when the test says so.
import { type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export class Upstream {
  private waiting: ServerResponse[] = [];
  private open = false;

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static start(): Promise<Upstream> {
    return new Promise((resolve) => {
      const server = createServer((_, response) => {
        if (upstream.open) response.end();
        else upstream.waiting.push(response);
      });
      let upstream: Upstream;
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        upstream = new Upstream(`http://127.0.0.1:${port}/`, server);
        resolve(upstream);
      });
    });
  }

  /** From now on every request has its answer, and those that wait have it too. */
  answer(): void {
    this.open = true;
    for (const response of this.waiting.splice(0)) response.end();
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
