// Files that our own SDK sends and receives, and a record of what happened to them.

(() => {
  const transfers = []; // in order of appearance: { transfer, events, saved, last, counted }
  const input = document.documentElement.appendChild(document.createElement('input'));
  Object.assign(input, { type: 'file', multiple: true, id: 'files' });

  // `connection`: the index of an open one. What the input has is sent.
  const sendFiles = (connection) => follow(e2e.links[connection].connection.sendFile([...input.files]));

  // What comes over a connection is taken, into memory or, `streamed`, into a stream that forgets it.
  function takeFiles(connection, { streamed = false, refuse = false, slow = 0 } = {}) {
    e2e.links[connection].connection.on('file', (transfer) => {
      const record = transfers[follow(transfer)];
      if (refuse) return transfer.refuse('no, thank you');
      transfer.accept(streamed ? { to: (file) => record.streamTo(file.name, slow) } : {}).catch(() => {});
    });
  }

  function follow(transfer) {
    const record = { transfer, events: [], saved: [], last: null, progresses: 0 };
    record.streamTo = (name, slow) => {
      const saved = { name, size: 0 };
      record.saved.push(saved);
      return new WritableStream({
        async write(chunk) {
          saved.size += chunk.byteLength;
          if (slow) await new Promise((resolve) => setTimeout(resolve, slow));
        },
      });
    };
    for (const event of ['accept', 'lost', 'resumed', 'done']) transfer.on(event, () => record.events.push([event]));
    transfer.on('error', (error) => record.events.push(['error', error.type, error.message]));
    transfer.on('progress', ({ bytes, size, rate }) => {
      record.last = { bytes, size, rate };
      record.progresses += 1;
    });
    transfer.on('file', async (file, result, message, blob) => {
      record.events.push(['file', file.name, result]);
      if (blob) record.saved.push({ name: file.name, ...(await samples.describe(await blob.arrayBuffer())) });
    });
    return transfers.push(record) - 1;
  }

  const story = e2e.story;
  e2e.story = () =>
    [story(), ...transfers.map(({ events, last, saved }) => JSON.stringify({ events, last, saved }))].join('\n');
  Object.assign(e2e, { transfers, sendFiles, takeFiles });
})();
