/* vnet.c - the virtio-net header in front of each frame, virtio 1.2 section 5.1.6: what TUN and
 * AF_PACKET speak about checksums and super-segments.  Its numbers are in host order here. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "device/device.h"

enum { SHORT = 512 };

bool dev_vnet_in(const struct virtio_net_hdr *vnet, struct hf_frame_in *frame)
{
    if ((vnet->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0) {
        frame->flags |= HF_FRAME_CSUM_OK;
    }
    switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        frame->flags |= HF_FRAME_GSO4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        frame->flags |= HF_FRAME_GSO6;
        break;
    default:
        return false; /* never asked for */
    }
    frame->gso_size = vnet->gso_size;
    return vnet->gso_size != 0;
}

void dev_vnet_out(const struct hf_frame_out *frame, struct virtio_net_hdr *vnet)
{
    memset(vnet, 0, sizeof *vnet);
    if ((frame->flags & HF_FRAME_CSUM_NEEDED) != 0) {
        vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        vnet->csum_start = frame->csum_start;
        vnet->csum_offset = frame->csum_offset;
    }
    if ((frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) != 0) {
        bool v4 = (frame->flags & HF_FRAME_GSO4) != 0;
        vnet->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        vnet->gso_size = frame->gso_size;
        vnet->hdr_len = frame->header_len;
    }
}

/* A short frame goes as one piece: cheaper to put together than for the kernel to gather. */
static ssize_t write_short(int fd, const void *vnet, size_t vnet_len,
                           const struct hf_frame_out *frame)
{
    uint8_t piece[sizeof(struct virtio_net_hdr_mrg_rxbuf) + SHORT];
    size_t len = vnet_len;
    memcpy(piece, vnet, vnet_len);
    memcpy(piece + len, frame->header, frame->header_len);
    len += frame->header_len;
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        memcpy(piece + len, frame->slice[i].data, frame->slice[i].len);
        len += frame->slice[i].len;
    }
    return write(fd, piece, len);
}

static ssize_t write_long(int fd, void *vnet, size_t vnet_len, const struct hf_frame_out *frame)
{
    struct iovec iov[2 + HF_SLICES_MAX];
    int n = 0;
    iov[n++] = (struct iovec){vnet, vnet_len};
    /* writev reads only; its type does not say so. */
    iov[n++] = (struct iovec){(void *)(uintptr_t)frame->header, frame->header_len};
    for (uint32_t i = 0; i < frame->n_slices && i < HF_SLICES_MAX; i++) {
        iov[n++] = (struct iovec){(void *)(uintptr_t)frame->slice[i].data, frame->slice[i].len};
    }
    return writev(fd, iov, n);
}

int dev_vnet_send(int fd, size_t vnet_len, const struct hf_frame_out *frame, uint64_t *dropped)
{
    struct virtio_net_hdr_mrg_rxbuf vnet = {0};
    dev_vnet_out(frame, &vnet.hdr);
    ssize_t done;
    do {
        done = frame->len <= SHORT ? write_short(fd, &vnet, vnet_len, frame)
                                   : write_long(fd, &vnet, vnet_len, frame);
    } while (done < 0 && errno == EINTR);
    if (done >= 0) {
        return 1;
    }
    switch (errno) {
    case EAGAIN:
        return 0;
    case EBADFD:
    case EBADF:
    case ENXIO:
        return -ENODEV;
    default: /* down, too long, no buffers: lost, as any network may lose it */
        (*dropped)++;
        return 1;
    }
}
