#!/usr/bin/env python3
"""A site that shows a film by Clear Key: shop_site.py FOLDER. Prints its address, and then what its page tells: so many frames, or
why there were none. Needs nothing but Python."""

import http.server
import pathlib
import sys
import urllib.parse

PAGE = b"""<!doctype html><title>Film</title><video muted></video><script>
const asked = new URLSearchParams(location.search), video = document.querySelector('video');
const tell = text => fetch('/told', { method: 'POST', body: text });

async function film() {
  const wanted = [{ initDataTypes: ['cenc'], videoCapabilities: [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }] }];
  const access = await navigator.requestMediaKeySystemAccess('org.w3.clearkey', wanted);
  const keys = await access.createMediaKeys();
  await video.setMediaKeys(keys);
  const begun = new Promise((done, failed) => video.addEventListener('encrypted', async event => {
    const session = keys.createSession();
    session.addEventListener('message', async ({ message }) => {
      const headers = { Authorization: 'Bearer ' + asked.get('token'), 'Wmlicense-Device': crypto.randomUUID() };
      const answer = await fetch(asked.get('server'), { method: 'POST', body: message, headers });
      if (!answer.ok) return failed(new Error((await answer.json()).detail));
      await session.update(await answer.arrayBuffer());
      done();
    });
    await session.generateRequest(event.initDataType, event.initData);
  }, { once: true }));
  const file = await (await fetch('/media/' + asked.get('file'))).arrayBuffer();
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise(done => source.addEventListener('sourceopen', done, { once: true }));
  const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.42E01E"');
  buffer.appendBuffer(file);
  await new Promise(done => buffer.addEventListener('updateend', done, { once: true }));
  source.endOfStream();
  await begun;
  video.play();
  await new Promise(done => video.addEventListener('ended', done, { once: true }));
  return video.getVideoPlaybackQuality().totalVideoFrames + ' frames of the subscriber, with a key by POST /clearkey';
}
film().then(tell, error => tell('no picture: ' + error));
</script>"""


class Site(http.server.BaseHTTPRequestHandler):
    """The page, the media of the folder, and what the page tells."""

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        name = pathlib.Path(path).name
        if path == "/":
            self.answer("text/html", PAGE)
        elif path.startswith("/media/") and (FOLDER / name).is_file():
            self.answer("video/mp4", (FOLDER / name).read_bytes())
        else:
            self.send_error(404)

    def do_POST(self):
        print(self.rfile.read(min(int(self.headers["Content-Length"]), 4096)).decode(), flush=True)
        self.answer("text/plain", b"")

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


FOLDER = pathlib.Path(sys.argv[1])
site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
print(f"http://127.0.0.1:{site.server_port}", flush=True)
site.serve_forever()
