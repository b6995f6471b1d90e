// Live mode: calls that have changed come by server-sent events from the command that shows the page.

/** Follow the trace from a sequence number on; `receive` gets rows, details, totals and numbers of lines. */
function follow(sequence, receive, report) {
  const source = new EventSource(`events?since=${sequence}`);
  source.addEventListener("calls", (event) => {
    report("live");
    receive(JSON.parse(event.data));
  });
  source.addEventListener("open", () => report("live"));
  source.addEventListener("error", () => report(source.readyState === EventSource.CLOSED ? "ended" : "lost"));
}

const LIVE_TEXTS = {
  live: "Live", lost: "Connection lost, trying again", ended: "Ended: the command has been stopped",
};
