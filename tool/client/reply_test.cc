#include "tool/client/reply.h"

#include <gtest/gtest.h>

#include "tool/client/failure.h"

namespace tenants::tool {
namespace {

TEST(Reply, every_type_of_resp2_is_read_as_it_was_sent) {
  ReplyReader reader;
  reader.feed("*6\r\n:-7\r\n$3\r\na\r\n\r\n+OK\r\n-ERR no\r\n$-1\r\n*0\r\n");
  Replies replies = reader.take();
  ASSERT_EQ(replies.size(), 1u);
  auto elements = replies[0].elements;
  ASSERT_EQ(elements.size(), 6u);
  EXPECT_EQ(elements[0].integer, -7);
  EXPECT_EQ(elements[0].number(), std::nullopt);
  EXPECT_EQ(elements[1].text, "a\r\n");
  EXPECT_EQ(elements[2].type, Reply::Type::kStatus);
  EXPECT_TRUE(elements[3].is_error());
  EXPECT_EQ(elements[4].type, Reply::Type::kNil);
  EXPECT_EQ(elements[5].type, Reply::Type::kArray);
}

TEST(Reply, a_batch_outlives_the_next_one_whatever_the_pieces_it_comes_in) {
  std::string text = "*2\r\n$4\r\nname\r\n*2\r\n$1\r\nx\r\n:12\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    ReplyReader reader;
    auto read = [&] {
      for (std::size_t at = 0; at < text.size(); at += piece) reader.feed(std::string_view(text).substr(at, piece));
      return reader.take();
    };
    Replies first = read();
    std::optional<Replies> second = read();
    Replies third = read();
    second.reset();
    Replies fourth = read();
    for (const Replies* replies : {&first, &third, &fourth}) {
      ASSERT_EQ(replies->size(), 1u) << piece;
      const Reply* value = (*replies)[0].find("name");
      ASSERT_TRUE(value) << piece;
      EXPECT_EQ(value->find("x")->number(), 12u) << piece;
    }
  }
}

TEST(Reply, the_next_reply_begins_with_its_first_byte) {
  std::string one = ":1\r\n", next = "*2\r\n:1\r\n$2\r\nab\r\n";
  for (std::size_t size = 0; size <= next.size(); ++size) {
    ReplyReader reader;
    EXPECT_TRUE(reader.at_end());
    reader.feed(one + next.substr(0, size));
    EXPECT_EQ(reader.at_end(), size == 0 || size == next.size()) << size;
    reader.feed(next.substr(size));
    EXPECT_TRUE(reader.at_end()) << size;
    EXPECT_EQ(reader.complete(), 2u);
  }
}

TEST(Reply, what_is_short_on_the_wire_may_not_be_long_in_memory) {
  ReplyReader reader;
  std::string nils = "*1000000\r\n";
  for (int i = 0; i < 1'000'000; ++i) nils += "$-1\r\n";
  EXPECT_THROW(for (int i = 0; i < 10; ++i) reader.feed(nils), Failure);
  ReplyReader wide;
  EXPECT_THROW(wide.feed("*1000\r\n" + std::string(500, ' ')), Failure);
  std::string nested;
  for (int i = 0; i < 3; ++i) nested += "*1000000\r\n";
  ReplyReader deep;
  EXPECT_THROW(deep.feed(nested), Failure);
}

TEST(Reply, what_is_no_resp_is_refused) {
  for (const char* text :
       {"HTTP/1.1 400 Bad Request\r\n", "\x15\x03\x03", "*2000000\r\n", "$99999999999999999999\r\n"}) {
    ReplyReader reader;
    EXPECT_THROW(reader.feed(text), Failure) << text;
  }
}

}  // namespace
}  // namespace tenants::tool
