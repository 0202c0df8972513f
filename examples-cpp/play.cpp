/* play.cpp: decrypts the packets of a protected MP4 that libavformat reads; with a clear copy at hand, proves them equal.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/play.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense $(pkg-config --cflags --libs libavformat libavcodec libavutil) -o play
 * Run:    ./play STORE AUTHORITY PROTECTED.mp4 [CLEAR.mp4]
 *
 * PROTECTED has one track, CLEAR the same track unprotected among its own. Needs no network: the license was acquired before.
 * Prints:
 *   decrypted: N packets of PROTECTED.mp4
 *   equal: N of N packets to those of CLEAR.mp4
 */
#include <wmlicense.hpp>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/encryption_info.h>
}

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using bytes = std::vector<std::uint8_t>;

struct closer {
  void operator()(AVFormatContext *of) const { avformat_close_input(&of); }
  void operator()(AVPacket *of) const { av_packet_free(&of); }
  void operator()(AVEncryptionInfo *of) const { av_encryption_info_free(of); }
};
template <class T> using owned = std::unique_ptr<T, closer>;

owned<AVFormatContext> open_file(const std::string &path) {
  AVFormatContext *file = nullptr;
  if (avformat_open_input(&file, path.c_str(), nullptr, nullptr) < 0) throw std::runtime_error(path + ": cannot be read");
  return owned<AVFormatContext>(file);
}

// How a packet is encrypted; nothing where it is clear.
owned<AVEncryptionInfo> encryption_of(const AVPacket &packet) {
  std::size_t size = 0;
  const std::uint8_t *const side = av_packet_get_side_data(&packet, AV_PKT_DATA_ENCRYPTION_INFO, &size);
  return owned<AVEncryptionInfo>(side != nullptr ? av_encryption_info_get_side_data(side, size) : nullptr);
}

class player {
public:
  explicit player(const wm::client &client) : client_(client) {}

  void decrypt(AVPacket &packet) {
    const owned<AVEncryptionInfo> how = encryption_of(packet);
    if (!how) return;
    std::vector<wm_subsample> ranges;
    for (std::uint32_t i = 0; i < how->subsample_count; i++)
      ranges.push_back({how->subsamples[i].bytes_of_clear_data, how->subsamples[i].bytes_of_protected_data});
    wm::sample sample(wm::bytes_view(how->iv, how->iv_size), how->scheme);
    sample.ranges(ranges).pattern(how->crypt_byte_block, how->skip_byte_block);
    decryptor_of(*how).decrypt_sample(sample, packet.data, static_cast<std::size_t>(packet.size));
  }

private:
  // One decryptor for all packets of a key ID: it counts as one use.
  const wm::decryptor &decryptor_of(const AVEncryptionInfo &how) {
    wm::kid kid;
    if (how.key_id_size == 16) std::copy_n(how.key_id, 16, kid.data());
    auto found = decryptors_.find(kid);
    if (found == decryptors_.end()) found = decryptors_.emplace(kid, wm::decryptor(client_, kid)).first;
    return found->second;
  }

  const wm::client &client_;
  std::map<wm::kid, wm::decryptor> decryptors_;
};

// The packets of the track of this kind, decrypted where there is a player.
std::vector<bytes> packets_of(AVFormatContext &file, AVMediaType kind, player *by) {
  std::vector<bytes> found;
  const owned<AVPacket> packet(av_packet_alloc());
  while (av_read_frame(&file, packet.get()) >= 0) {
    if (file.streams[packet->stream_index]->codecpar->codec_type == kind) {
      if (by != nullptr) {
        if (av_packet_make_writable(packet.get()) < 0) throw std::bad_alloc();
        by->decrypt(*packet);
      }
      found.emplace_back(packet->data, packet->data + packet->size);
    }
    av_packet_unref(packet.get());
  }
  return found;
}

int play(const std::vector<std::string> &words) {
  wm::client client;
  client.set(wm::prop::store_path, words[1]);
  client.set(wm::prop::authority, words[2]);
  client.open();
  const owned<AVFormatContext> file = open_file(words[3]);
  const AVMediaType kind = file->streams[0]->codecpar->codec_type;
  player by(client);
  const std::vector<bytes> decrypted = packets_of(*file, kind, &by);
  std::cout << "decrypted: " << decrypted.size() << " packets of " << words[3] << '\n';
  if (words.size() == 4) return 0;

  const owned<AVFormatContext> clear_file = open_file(words[4]);
  const std::vector<bytes> clear = packets_of(*clear_file, kind, nullptr);
  std::size_t equal = 0;
  for (std::size_t i = 0; i < decrypted.size() && i < clear.size(); i++) equal += decrypted[i] == clear[i];
  std::cout << "equal: " << equal << " of " << clear.size() << " packets to those of " << words[4] << '\n';
  return equal == clear.size() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() != 4 && words.size() != 5) {
    std::cerr << "usage: " << words[0] << " STORE AUTHORITY PROTECTED.mp4 [CLEAR.mp4]\n";
    return 2;
  }
  try {
    return play(words);
  } catch (const std::exception &failed) { // of the library: a wm::error
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
