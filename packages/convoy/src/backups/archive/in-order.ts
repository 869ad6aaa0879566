/**
 * Runs `start` for each item, up to `limit` at a time, and gives the results in the order of the items. However the
 * iteration ends, no started work is left behind when it has ended.
 * @param cancel Called when the iteration ends before its time, so that started work stops early.
 */
export async function* inOrder<I, O>(
  items: AsyncIterable<I>,
  limit: number,
  start: (item: I) => Promise<O>,
  cancel: () => void,
): AsyncGenerator<[I, O], void, undefined> {
  const running: [I, Promise<O>][] = [];
  let complete = false;
  try {
    for await (const item of items) {
      const result = start(item);
      // Looked at when its turn comes; until then a failure is not "unhandled".
      result.catch(() => {});
      running.push([item, result]);
      if (running.length < limit) continue;
      const [first, output] = running[0]!;
      yield [first, await output];
      running.shift();
    }
    while (running.length > 0) {
      const [first, output] = running[0]!;
      yield [first, await output];
      running.shift();
    }
    complete = true;
  } finally {
    if (!complete) cancel();
    await Promise.allSettled(running.map(([, output]) => output));
  }
}
