// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Where HCCL's rank table puts the ranks; HCCL itself checks the rest of the file. */
record RankTable(List<Place> ranks) {
  /** A rank's server, the server's address if the table has it, and the device's physical id. */
  record Place(String server, Optional<String> address, int deviceId) {}

  static RankTable read(Path file) {
    JsonNode root;
    try {
      root = new ObjectMapper().readTree(Files.readAllBytes(file));
    } catch (JacksonException e) {
      throw new BadInputException(
          "RANK_TABLE_FILE %s is not JSON: %s".formatted(file, e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new BadInputException("RANK_TABLE_FILE %s cannot be read: %s".formatted(file, e), e);
    }
    SortedMap<Integer, Place> places = new TreeMap<>();
    for (JsonNode server : root.path("server_list")) {
      String id = server.path("server_id").asText();
      String host = server.path("host_ip").asText();
      Optional<String> address =
          Optional.of(host.isEmpty() ? id : host).filter(RankTable::isAddress);
      for (JsonNode device : server.path("device")) {
        int rank = number(file, device, "rank_id");
        if (places.put(rank, new Place(id, address, number(file, device, "device_id"))) != null) {
          throw new BadInputException(
              "RANK_TABLE_FILE %s has rank_id %d twice".formatted(file, rank));
        }
      }
    }
    if (places.isEmpty() || places.lastKey() != places.size() - 1) {
      throw new BadInputException(
          "RANK_TABLE_FILE %s must have the ranks 0 to n - 1 in server_list[].device[].rank_id,"
                  .formatted(file)
              + " but has "
              + (places.isEmpty() ? "none" : places.keySet()));
    }
    return new RankTable(List.copyOf(new ArrayList<>(places.values())));
  }

  int localRank(int rank) {
    String server = ranks.get(rank).server();
    return (int) ranks.subList(0, rank).stream().filter(p -> p.server().equals(server)).count();
  }

  /** Where rank 0 can be reached. */
  Optional<String> address() {
    boolean oneServer = ranks.stream().map(Place::server).distinct().count() == 1;
    return oneServer ? Optional.of(RankEnvironment.LOOPBACK) : ranks.getFirst().address();
  }

  private static int number(Path file, JsonNode device, String field) {
    String text = device.path(field).asText();
    if (!text.matches("\\d{1,9}")) {
      throw new BadInputException(
          "RANK_TABLE_FILE %s has a device with %s '%s'; it must be a number"
              .formatted(file, field, text));
    }
    return Integer.parseInt(text);
  }

  private static boolean isAddress(String text) {
    return text.matches("\\d+\\.\\d+\\.\\d+\\.\\d+") || text.contains(":");
  }
}
